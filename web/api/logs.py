"""A run's log for programs and for the viewer: the bytes as written, pages of lines, searches, and live."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from events.chunk import LogStream
from projections import run_log
from projections.run_log import HITS_MAX, LogPage
from web import log_lines, log_reading, query, reading, words
from web.api import log_stream
from web.api.answers import json
from web.errors import Malformed
from web.site import Site, site_of
from web.sse import EventStream

LINES_A_PAGE, LINES_A_PAGE_MAX = 500, 1000
STREAMS: tuple[LogStream, ...] = ("stdout", "stderr")
RAW_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
}


class Lines(msgspec.Struct, frozen=True):
    """Some lines, and what there is beyond."""

    lines: list[list[Any]]
    """`[number, stream, milliseconds since 1970, text]`."""
    total: int
    """The number of the log's last line."""
    next: int | None
    """The line to ask for next; None at the end of the log as it is now."""


class Found(msgspec.Struct, frozen=True):
    """Where a text is in a log."""

    total: int
    """Lines that hold it."""
    numbers: list[int]
    """Of the first of them."""
    lines: list[list[Any]]
    """The same lines, unless only numbers were asked for."""
    complete: bool
    """Whether these are all."""


async def logs(request: Request) -> Response:
    """The bytes as the script wrote them, both streams in order.

    `from` and `count` choose lines, `stream` one of both, `q` only lines that hold a text; `format=json`
    gives lines with number, stream and time instead, and then `before` asks backwards.
    """
    site, run_id = site_of(request), query.run_id(request)
    found = await reading.run(site, run_id)
    wanted = query.text(request, "q")
    stream = query.choice(request, "stream", STREAMS)
    first = query.number(request, "from", least=1)
    if query.choice(request, "format", ("json", "text")) == "json":
        if wanted:
            return await _search(request, site, run_id, wanted, stream)
        return json(_told(await _page(request, site, run_id, first, stream)))
    count = query.number(request, "count", least=1)
    name = f"{found.pipeline}-{words.short(run_id)}.log"
    body = (
        _matching(site, run_id, wanted, stream, first or 1, count)
        if wanted
        else run_log.raw(site.store, run_id, stream, from_line=first or 1, count=count)
    )
    headers = {**RAW_HEADERS, "Content-Disposition": _shown_as(name)}
    return StreamingResponse(await _begun(body), media_type="text/plain; charset=utf-8", headers=headers)


async def stream(request: Request) -> Response:
    """The log live: one message a batch of lines, its id the number of the last; ends with event `end`."""
    site, run_id = site_of(request), query.run_id(request)
    first = query.number(request, "from", least=1) or 1
    resumed = request.headers.get("last-event-id")
    if resumed is not None:
        first = query.whole(resumed, "Last-Event-ID") + 1
    everything = query.yes(request, "all")
    await reading.run(site, run_id)
    messages = log_stream.messages(site, run_id, first, everything=everything)
    return EventStream(messages, site.live.closing)


async def _page(
    request: Request, site: Site, run_id: str, first: int | None, stream: LogStream | None
) -> LogPage:
    count = query.number(request, "count", least=1, most=LINES_A_PAGE_MAX) or LINES_A_PAGE
    end = query.number(request, "before", least=1)
    if end is None:
        return await run_log.lines(site.store, run_id, first or 1, count, stream)
    if first is not None:
        raise Malformed("Either `from` or `before` can be given, not both.")
    return await log_reading.before(site.store, run_id, end, count, stream)


def _told(page: LogPage) -> Lines:
    following = page.next_line if page.next_line <= page.last_line else None
    return Lines([log_lines.told(line) for line in page.lines], page.last_line, following)


async def _search(
    request: Request, site: Site, run_id: str, wanted: str, stream: LogStream | None
) -> Response:
    limit = query.number(request, "count", least=1, most=HITS_MAX) or HITS_MAX
    hits = await run_log.search(site.store, run_id, wanted, stream=stream, limit=limit)
    shown = [] if query.yes(request, "numbers") else hits.lines
    numbers = [line.number for line in hits.lines]
    told = [log_lines.told(line) for line in shown]
    return json(Found(hits.total, numbers, told, complete=len(numbers) == hits.total))


async def _matching(
    site: Site, run_id: str, wanted: str, stream: LogStream | None, first: int, count: int | None
) -> AsyncGenerator[bytes, None]:
    """The raw lines that hold a text; a log of many hits is searched on from the last one."""
    left = count
    while left is None or left > 0:
        limit = HITS_MAX if left is None else min(left, HITS_MAX)
        hits = await run_log.search(site.store, run_id, wanted, from_line=first, stream=stream, limit=limit)
        yield b"".join(_raw(hits.lines))
        if len(hits.lines) == hits.total:
            return
        first = hits.lines[-1].number + 1
        left = None if left is None else left - len(hits.lines)


async def _begun(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same, its first part already there: until then a refusal can still be told as one."""
    first = await anext(body, b"")

    async def whole() -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(body):
            yield first
            async for part in body:
                yield part

    return whole()


def _raw(lines: Iterable[Any]) -> Iterable[bytes]:
    return (line.text + b"\n" if line.newline else line.text for line in lines)


def _shown_as(name: str) -> str:
    """Shown in the browser, and saved under a name (RFC 6266); what no header can hold is escaped."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    return f"inline; filename=\"{safe}\"; filename*=UTF-8''{words.part(name)}"
