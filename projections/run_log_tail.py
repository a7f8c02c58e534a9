"""A log as it grows, for any number of viewers at once: each chunk is read and opened once for all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence

from events import run as happened
from events.chunk import Line, decode
from events.wake import Wake
from projections.run_log import CHUNKS_A_READ, LogStore

WINDOW_BYTES_MAX = 1 << 20
READ_INTERVAL_SECONDS = 0.02
OVER = (happened.RunSucceeded, happened.RunFailed, happened.RunCancelled)


class Tails:
    """The logs somebody watches right now."""

    def __init__(self, store: LogStore, wake: Wake) -> None:
        self._store = store
        self._wake = wake
        self._tails: dict[str, _Tail] = {}

    async def follow(self, run: str, from_line: int = 1) -> AsyncGenerator[list[Line]]:
        """Every line from a number on, in batches, live; ends when the run is over and all was given.

        Viewers that keep up share the reading and the very same lists, which they must not change. One
        that is slow or comes later reads by itself until it has caught up.
        """
        with self._watched(run) as tail:
            next_line = min(from_line, 1 + await self._store.last_line(run))
            while batches := await tail.batches(next_line):
                for batch in batches:
                    next_line = batch[-1].number + 1
                    if wanted := _from(from_line, batch):
                        yield wanted

    @contextlib.contextmanager
    def _watched(self, run: str) -> Iterator[_Tail]:
        """The tail that all viewers of a run share, as long as there is one."""
        tail = self._tails.get(run)
        if tail is None:
            tail = self._tails[run] = _Tail(self._store, self._wake, run)
        tail.viewers += 1
        try:
            yield tail
        finally:
            tail.viewers -= 1
            if not tail.viewers:
                del self._tails[run]


class _Tail:
    """The newest lines of one log, from `first_line` to before `next_line`, as far as any viewer has come."""

    def __init__(self, store: LogStore, wake: Wake, run: str) -> None:
        self.viewers = 0
        self._store = store
        self._wake = wake
        self._run = run
        self._window: deque[list[Line]] = deque()
        self._window_bytes = 0
        self._first_line = self._next_line = 0
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._over = False
        self._version_seen = 0
        self._control_seen = -1

    async def batches(self, line: int) -> Sequence[list[Line]]:
        """Batches from a line on, at least one; none when the run is over and there will be no such line."""
        while True:
            if self._first_line <= line < self._next_line:
                return [_from(line, batch) for batch in self._window if batch[-1].number >= line]
            if line < self._first_line:
                return await self._read_or_wait(line)
            # whoever comes first reads for all who wait; when it leaves, the next one goes on
            async with self._reading:
                if line >= self._next_line and not await self._advance(line):
                    return ()

    async def _read_or_wait(self, line: int) -> Sequence[list[Line]]:
        """Read what came before the window; a database that crashed may have to be given it again first."""
        while not (batches := await self._read(line)):
            await self._wake.beyond(self._wake.head)
        return batches

    async def _advance(self, line: int) -> bool:
        """Move the window on to a line, as soon as it is written; whether it will ever be."""
        if line > self._next_line:
            self._window.clear()
            self._window_bytes = 0
            self._first_line = self._next_line = line
        while True:
            head = self._wake.head
            if batches := await self._read(line):
                self._show(batches)
                return True
            if self._over:
                return False
            if not await self._ended():
                await self._wake.beyond(head)
                await asyncio.sleep(self._read_at + READ_INTERVAL_SECONDS - _now())

    def _show(self, batches: Sequence[list[Line]]) -> None:
        self._window.extend(batches)
        self._window_bytes += sum(map(_size, batches))
        while self._window_bytes > WINDOW_BYTES_MAX and len(self._window) > 1:
            self._window_bytes -= _size(self._window.popleft())
        self._next_line = batches[-1][-1].number + 1
        self._first_line = self._window[0][0].number

    async def _read(self, line: int) -> list[list[Line]]:
        self._read_at = _now()
        chunks = await self._store.read_chunks(self._run, line, CHUNKS_A_READ)
        return [_from(line, decode(chunk.first_line, chunk.head, chunk.payload)) for chunk in chunks]

    async def _ended(self) -> bool:
        """Whether the run is over: then one more read gives the last lines, stored before it ended."""
        control = self._wake.control
        if control > self._control_seen:
            self._control_seen = control
            for recorded in await self._store.read_stream(happened.stream(self._run), self._version_seen):
                self._version_seen = recorded.version
                self._over = self._over or isinstance(recorded.event, OVER)
        return self._over


def _from(line: int, batch: list[Line]) -> list[Line]:
    """The batch itself when it begins at or after a line, so that all viewers share it."""
    return batch if batch[0].number >= line else batch[line - batch[0].number :]


def _size(batch: list[Line]) -> int:
    return sum(len(line.text) for line in batch)


def _now() -> float:
    return asyncio.get_running_loop().time()
