"""What a script says of its progress becomes events, at a pace, and never in the way of its log."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, TypeAlias

import structlog

from events.errors import FastFlowError
from events.signal import came
from fastflow.capture.pace import INTERVAL_SECONDS, Pace
from fastflow.capture.protocol import Progress, Step, said
from fastflow.domain.run import RecordProgress, RecordStep
from fastflow.reactor.world import World

_log = structlog.get_logger()

Word: TypeAlias = RecordProgress | RecordStep


class Telling:
    """Of one run: `hear` costs nothing, a task of its own does the telling."""

    def __init__(self, world: World, run: str) -> None:
        self._world = world
        self._run = run
        self._attempt = 0
        self._paces: dict[type[Word], Pace[Word]] = {RecordProgress: Pace(), RecordStep: Pace()}
        self._ready: dict[type[Word], Word] = {}
        self._stirred = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to tell."""
        self._task = asyncio.create_task(self._tell_on(), name=f"tell {self._run}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop telling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def begin(self, attempt: int) -> None:
        """What is heard from now on is said by this attempt."""
        self._attempt = attempt

    def hear(self, line: bytes) -> None:
        """Take in one line that may say something."""
        word: Word
        match said(line):
            case Progress(done, total, text):
                word = RecordProgress(self._attempt, done, total, text)
            case Step(name):
                word = RecordStep(self._attempt, name)
            case _:
                return
        kind, now = type(word), asyncio.get_running_loop().time()
        self._paces[kind], through = self._paces[kind].offer(word, now)
        if through is not None:
            self._ready[kind] = through
        self._stirred.set()

    async def settle(self) -> None:
        """Tell what was still waiting for its turn: the run is about to be over."""
        for kind, pace in self._paces.items():
            if pace.waiting is not None:
                self._ready[kind] = pace.waiting
                self._paces[kind] = Pace()
        await self._tell_ready()

    async def _tell_on(self) -> None:
        while True:
            dues = [due for pace in self._paces.values() if (due := pace.due_at()) is not None]
            now = asyncio.get_running_loop().time()
            if dues:
                await came(self._stirred, min(dues) - now)
            else:
                await self._stirred.wait()
            self._stirred.clear()
            for kind, pace in self._paces.items():
                self._paces[kind], through = pace.release(asyncio.get_running_loop().time())
                if through is not None:
                    self._ready[kind] = through
            await self._tell_ready()

    async def _tell_ready(self) -> None:
        """A word that cannot be told now is left out: the next one says more."""
        async with self._one_at_a_time:
            while self._ready:
                _, word = self._ready.popitem()
                try:
                    await self._world.tell(self._run, word)
                except FastFlowError as error:
                    _log.info("run.progress_not_told", run=self._run, reason=str(error))
                    await asyncio.sleep(INTERVAL_SECONDS)
