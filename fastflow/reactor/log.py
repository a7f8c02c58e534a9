"""One attempt's log on its way from engine to store: followed, read once more at the end, never lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

import structlog

from events.errors import FastFlowError
from events.run import GapCause
from events.signal import came
from fastflow.capture.recorder import Recorder
from fastflow.domain.run import Active, DeclareLogGap
from fastflow.engine import STDERR, STDOUT, ContainerGone, Piece
from fastflow.engine.frames import LogDamaged
from fastflow.reactor.world import World

RECONNECT_SECONDS_FIRST, RECONNECT_SECONDS_MAX = 0.1, 5.0
END_PIECES = 64
DAMAGES_MAX = 3
"""Broken streams in a row before the log is left alone until its container has ended."""

_log = structlog.get_logger()


class Log:
    """Made by `open`, ended by `finish`, and always closed by `close`."""

    def __init__(self, world: World, run: str, active: Active, recorder: Recorder) -> None:
        self.recorder = recorder
        self.last_heard = asyncio.get_running_loop().time()
        """When the engine last said something, by the loop's clock."""
        self._world = world
        self._run = run
        self._active = active
        self._declared_full = False
        self._taken_bytes = 0
        self._newest: deque[Piece] = deque(maxlen=END_PIECES)

    @classmethod
    async def open(
        cls, world: World, run: str, active: Active, on_line: Callable[[bytes], None] | None
    ) -> Log:
        """Go on after the last stored line."""
        recorder = await Recorder.resume(world.store, run, active.attempt, world.fence, on_line)
        return cls(world, run, active, recorder)

    async def follow(self, may_store: asyncio.Event, ended: asyncio.Event) -> None:
        """Store what the container prints until it has ended and the engine has no more.

        The connection is opened at once, but nothing is stored before the start is written down.
        """
        pause, damages = RECONNECT_SECONDS_FIRST, 0
        while not self._full() and damages < DAMAGES_MAX:
            heard = self.last_heard
            try:
                await self._read(may_store, follow=True)
            except LogDamaged as damage:
                damages += 1
                _log.warning("log.damaged", run=self._run, detail=str(damage))
            if ended.is_set():
                return
            if self.last_heard > heard:
                pause = RECONNECT_SECONDS_FIRST
            if not self._full():
                await came(ended, pause)
            pause = min(2 * pause, RECONNECT_SECONDS_MAX)
        if self._full():
            await self._declare_full()
        await ended.wait()

    async def finish(self) -> None:
        """Read once more, because a followed log may end too early, and make every line durable."""
        gap: GapCause | None = None
        nothing_to_wait_for = asyncio.Event()
        nothing_to_wait_for.set()
        try:
            if not self._full() and not await self._is_whole():
                await self._read(nothing_to_wait_for, follow=False)
        except ContainerGone:
            gap = "container_lost"
        except LogDamaged:
            gap = "engine_log_damaged"
        await self.recorder.finish()
        if gap is not None:
            await self.declare_gap(gap)
        if self._full():
            await self._declare_full()

    async def declare_gap(self, cause: GapCause) -> None:
        """Say in the log that lines after the last stored one may be missing."""
        await declare_gap(self._world, self._run, self._active, cause, self.recorder.lines)

    async def close(self) -> None:
        """Store what was taken, if that is quick, and leave the rest to the next one."""
        with contextlib.suppress(FastFlowError, TimeoutError):
            async with asyncio.timeout(self._world.patience.detach_seconds):
                await self.recorder.flush()
        await self.recorder.aclose()

    async def _declare_full(self) -> None:
        if not self._declared_full:
            self._declared_full = True
            await self.recorder.flush()
            await self.declare_gap("size_cap")

    def _full(self) -> bool:
        return self.recorder.bytes >= self._world.log_bytes_max

    async def _is_whole(self) -> bool:
        """Whether the last pieces taken are the last ones there are.

        A followed log gives a part of the engine's file from some piece on without a gap. Ends that are equal
        and in which time moves on can only be the same place of the file.
        """
        last = tuple(await self._world.engine.last_pieces(self._active.container, END_PIECES))
        is_one_place = len(last) < END_PIECES or any(
            len({time for stream, time, _ in last if stream == one}) > 1 for one in (STDOUT, STDERR)
        )
        return is_one_place and last == tuple(self._newest)

    async def _read(self, may_store: asyncio.Event, *, follow: bool) -> None:
        pieces = self._world.engine.logs(self._active.container, self.recorder.since, follow=follow)
        async with _closing(pieces) as batches:
            async for batch in batches:
                self.last_heard = asyncio.get_running_loop().time()
                await may_store.wait()
                await self.recorder.take(batch)
                self._newest.extend(batch[-END_PIECES:])
                await self._count(batch)
                if self._full():
                    return

    async def _count(self, batch: Sequence[Piece]) -> None:
        """Near the limit, have everything stored that was taken: only what is stored counts."""
        self._taken_bytes += sum(len(text) for _, _, text in batch)
        if self.recorder.bytes + self._taken_bytes >= self._world.log_bytes_max:
            await self.recorder.flush()
            self._taken_bytes = 0


async def declare_gap(world: World, run: str, active: Active, cause: GapCause, after_line: int) -> None:
    """Say that part of a run's output is not in its log; nobody can know how much."""
    _log.warning("log.gap", run=run, cause=cause, after_line=after_line)
    await world.tell(run, DeclareLogGap(active.attempt, cause, after_line))


@contextlib.asynccontextmanager
async def _closing(
    batches: AsyncIterator[Sequence[Piece]],
) -> AsyncIterator[AsyncIterator[Sequence[Piece]]]:
    """Close the connection also when the reading ends early."""
    try:
        yield batches
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()
