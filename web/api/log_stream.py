"""The messages of a log's stream: lines, ranges that were skipped, and the end.

A message's data is a JSON array of lines, each `[number, stream, milliseconds since 1970, text]`; its id is
the number of its last line, so `Last-Event-ID` says where to go on. Event `skipped` names a range that came
too fast for a page, `{"from": 101, "to": 900}`; event `end` says how the run ended. Asked for `all`, nothing
is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

from events.chunk import Line
from web import log_lines, reading
from web.pacing import BURST_SECONDS, Pacer, Sending, Skipped
from web.site import Site
from web.sse import Messages, message

MESSAGE_BYTES_MAX = 1 << 18
MESSAGE_LINES_MAX = 2000
FRAME_SECONDS = 0.25
"""Between two messages to a page that gets fewer lines than are written."""


async def messages(site: Site, run: str, first: int, *, everything: bool) -> Messages:
    """Every message from a line on, until the run is over and its log was told."""
    sending = _everything(site, run, first) if everything else _paced(site, run, first)
    async with contextlib.aclosing(sending):
        async for part in sending:
            for told in _told(part):
                yield told
    found = await reading.ended(site, run)
    end = {"status": found.status, "reason": found.reason, "exit_code": found.exit_code}
    yield message({**end, "lines": await site.store.last_line(run)}, event="end")


async def _everything(site: Site, run: str, first: int) -> AsyncGenerator[Sending, None]:
    async with contextlib.aclosing(site.tails.follow(run, first)) as batches:
        async for batch in batches:
            yield batch


async def _paced(site: Site, run: str, first: int) -> AsyncGenerator[Sending, None]:
    rate = site.settings.log_stream_rate_limit
    start = max(first, await site.store.last_line(run) + 1 - rate * BURST_SECONDS)
    if start > first:  # what is long past is not read only to be left out
        yield Skipped(first, start - 1)
    now = asyncio.get_running_loop().time
    pacer = Pacer(rate, now())
    async with contextlib.aclosing(site.tails.follow(run, start)) as batches:
        async for batch in _with_pauses(batches, pacer):
            pacer.take(batch)
            for part in pacer.due(now()):
                yield part
    for part in pacer.rest():
        yield part


async def _with_pauses(
    batches: AsyncIterator[list[Line]], pacer: Pacer
) -> AsyncGenerator[Sequence[Line], None]:
    """The batches, and an empty one every FRAME_SECONDS as long as something is held back."""
    coming: asyncio.Future[list[Line] | None] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(batches, None))
            done, _ = await asyncio.wait({coming}, timeout=FRAME_SECONDS if pacer.holds else None)
            if not done:
                yield ()
                continue
            batch, coming = coming.result(), None
            if batch is None:
                return
            yield batch
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})


def _told(part: Sending) -> Iterator[bytes]:
    if isinstance(part, Skipped):
        yield message({"from": part.first, "to": part.last}, event="skipped", id=part.last)
        return
    for lines in _portions(part):
        yield message([log_lines.told(line) for line in lines], id=lines[-1].number)


def _portions(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    start, size = 0, 0
    for place, line in enumerate(lines):
        if place > start and (
            size + len(line.text) > MESSAGE_BYTES_MAX or place - start >= MESSAGE_LINES_MAX
        ):
            yield lines[start:place]
            start, size = place, 0
        size += len(line.text)
    yield lines[start:]
