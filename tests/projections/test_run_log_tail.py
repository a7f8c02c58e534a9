"""All viewers of a live log see every line of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Awaitable, Callable

import pytest

from events.base import Event, Recorded, Stream
from events.chunk import Line
from events.run import RunCancelled
from events.run import stream as run_stream
from events.store import EventStore, StoredChunk
from events.wake import Wake
from fastflow.capture.recorder import Recorder
from fastflow.engine import STDOUT, Piece
from projections import run_log_tail
from projections.run_log_tail import Tails

DEADLINE_SECONDS = 20


class CountingStore:
    """The real store, counting what it is asked for; something may happen just before a run is looked at."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.reads = 0
        self.chunks_read = 0
        self.meanwhile: list[Callable[[], Awaitable[None]]] = []

    async def last_line(self, run: str) -> int:
        return await self._store.last_line(run)

    async def read_chunks(self, run: str, from_line: int, limit: int) -> list[StoredChunk]:
        chunks = await self._store.read_chunks(run, from_line, limit)
        self.reads += 1
        self.chunks_read += len(chunks)
        return chunks

    async def read_stream(self, stream: Stream, after_version: int = 0) -> list[Recorded[Event]]:
        while self.meanwhile:
            await self.meanwhile.pop()()
        return await self._store.read_stream(stream, after_version)


class Printing:
    """A run that prints when it is told to."""

    def __init__(self, store: EventStore, run: str) -> None:
        self.run = run
        self.lines = 0
        self._store = store
        self._recorder: Recorder | None = None

    async def lines_up_to(self, number: int) -> None:
        if self._recorder is None:
            self._recorder = await Recorder.resume(self._store, self.run, 1)
        numbers = range(self.lines + 1, number + 1)
        pieces: list[Piece] = [(STDOUT, number, b"line %d %s\n" % (number, b"." * 80)) for number in numbers]
        await self._recorder.take(pieces)
        await self._recorder.flush()
        self.lines = number

    async def end(self) -> None:
        await self._store.append(run_stream(self.run), [RunCancelled(attempt=0, by="test")], expected=None)


@pytest.fixture
def printing(store: EventStore) -> Printing:
    return Printing(store, str(uuid.uuid4()))


class Viewer:
    """Somebody who follows a log to its end."""

    def __init__(self, tails: Tails, run: str, from_line: int = 1) -> None:
        self.lines: list[Line] = []
        self.batches: list[list[Line]] = []
        self._grown = asyncio.Condition()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.watching = asyncio.create_task(self._watch(tails, run, from_line))

    async def _watch(self, tails: Tails, run: str, from_line: int) -> None:
        async for batch in tails.follow(run, from_line):
            async with self._grown:
                self.lines += batch
                self.batches.append(batch)
                self._grown.notify_all()
            await self.may_go_on.wait()

    async def seen(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS), self._grown:
            await self._grown.wait_for(lambda: len(self.lines) >= count)

    async def over(self) -> list[int]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.watching
        return [line.number for line in self.lines]

    async def leave(self) -> None:
        self.watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.watching


async def test_lines_are_seen_as_they_are_written_until_the_run_is_over(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    viewer = Viewer(Tails(store, wake), printing.run)
    for number in (1, 2, 1_000, 1_001):
        await printing.lines_up_to(number)
        await viewer.seen(number)
    await printing.end()
    assert await viewer.over() == list(range(1, 1_002))


@pytest.mark.parametrize("from_line", [1, 2, 777, 1_000])
async def test_a_finished_log_is_given_from_any_line_and_ends(
    store: EventStore, wake: Wake, printing: Printing, from_line: int
) -> None:
    await printing.lines_up_to(1_000)
    await printing.end()
    assert await Viewer(Tails(store, wake), printing.run, from_line).over() == list(range(from_line, 1_001))


async def test_a_viewer_may_wait_for_lines_far_ahead_without_keeping_others_waiting(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    tails = Tails(store, wake)
    ahead = Viewer(tails, printing.run, 500)
    await printing.lines_up_to(10)
    behind = Viewer(tails, printing.run)
    await behind.seen(10)
    await printing.lines_up_to(600)
    await printing.end()
    assert await ahead.over() == list(range(500, 601))
    assert await behind.over() == list(range(1, 601))


async def test_fifty_viewers_see_every_line_and_each_chunk_is_read_once(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    counting = CountingStore(store)
    tails = Tails(counting, wake)
    viewers = [Viewer(tails, printing.run) for _ in range(50)]
    for number in range(500, 10_001, 500):
        await printing.lines_up_to(number)
        await asyncio.gather(*(viewer.seen(number) for viewer in viewers))
    await printing.end()
    for viewer in viewers:
        assert await viewer.over() == list(range(1, 10_001))
    chunks = await store.read_chunks(printing.run, 1, 1_000)
    assert counting.chunks_read == len(chunks)
    assert all(viewer.batches[0] is viewers[0].batches[0] for viewer in viewers)


async def test_a_slow_viewer_misses_nothing_and_holds_nobody_up(
    store: EventStore, wake: Wake, printing: Printing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log_tail, "WINDOW_BYTES_MAX", 50_000)
    tails = Tails(store, wake)
    slow, quick = Viewer(tails, printing.run), Viewer(tails, printing.run)
    slow.may_go_on.clear()
    for number in range(1_000, 20_001, 1_000):
        await printing.lines_up_to(number)
        await quick.seen(number)
    assert len(slow.lines) < 2_000
    slow.may_go_on.set()
    await printing.end()
    assert await slow.over() == list(range(1, 20_001))
    assert await quick.over() == list(range(1, 20_001))


async def test_viewers_come_and_go_and_the_others_see_everything(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    tails = Tails(store, wake)
    staying = Viewer(tails, printing.run)
    leaving = [Viewer(tails, printing.run) for _ in range(5)]
    for viewer in (*leaving, staying):
        await printing.lines_up_to(printing.lines + 300)
        await asyncio.gather(*(other.seen(printing.lines) for other in (viewer, staying)))
        if viewer is not staying:
            await viewer.leave()
    late = Viewer(tails, printing.run)
    await printing.end()
    for viewer in (staying, late):
        assert await viewer.over() == list(range(1, printing.lines + 1))


async def test_lines_written_between_the_last_look_and_the_end_are_not_missed(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    async def print_and_end() -> None:
        await printing.lines_up_to(5)
        await printing.end()

    counting = CountingStore(store)
    counting.meanwhile.append(print_and_end)
    assert await Viewer(Tails(counting, wake), printing.run).over() == [1, 2, 3, 4, 5]


async def test_a_silent_log_is_not_read_again_and_again(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    counting = CountingStore(store)
    tails = Tails(counting, wake)
    viewers = [Viewer(tails, printing.run) for _ in range(10)]
    await printing.lines_up_to(1)
    await asyncio.gather(*(viewer.seen(1) for viewer in viewers))
    counting.reads = 0
    await wake.beyond(wake.head, 0.8)
    assert counting.reads < 5
    await printing.end()
    for viewer in viewers:
        await viewer.over()


async def test_whoever_was_cut_off_goes_on_after_the_last_line_seen(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    tails = Tails(store, wake)
    seen: list[int] = []
    for number in itertools.chain(range(100, 1_000, 100), [1_000]):
        viewer = Viewer(tails, printing.run, len(seen) + 1)
        await printing.lines_up_to(number)
        await viewer.seen(number - len(seen))
        await viewer.leave()
        seen += [line.number for line in viewer.lines]
    assert seen == list(range(1, 1_001))


async def test_a_log_nobody_watches_any_more_is_forgotten(
    store: EventStore, wake: Wake, printing: Printing
) -> None:
    tails = Tails(store, wake)
    viewer = Viewer(tails, printing.run)
    await printing.lines_up_to(5)
    await viewer.seen(5)
    assert len(tails._tails) == 1
    await viewer.leave()
    assert len(tails._tails) == 0
