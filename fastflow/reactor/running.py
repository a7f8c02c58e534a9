"""A container that runs: its start is recorded, its log followed, its end awaited, and a stop carried out."""

from __future__ import annotations

import asyncio
import datetime as dt

import structlog

from events.errors import LeaseLost, Unavailable
from fastflow.domain.run import Active, RecordExit, RecordStarted
from fastflow.domain.run_rules import SIGNAL_EXIT_CODES
from fastflow.engine import ContainerGone, Observed
from fastflow.reactor.log import Log
from fastflow.reactor.notices import Notices
from fastflow.reactor.stopping import Stopping
from fastflow.reactor.telling import Telling
from fastflow.reactor.world import World

OUTAGE_LOOK_SECONDS = 0.5

_log = structlog.get_logger()


class Running:
    """Of one attempt. `watch` returns what the engine shows at the end, `finish` records it."""

    def __init__(self, world: World, run: str, notices: Notices, telling: Telling) -> None:
        self._world = world
        self._run = run
        self._notices = notices
        self._telling = telling
        self._started = asyncio.Event()
        self._seen: Observed | None = None
        self._log: Log | None = None

    async def prepare(self, active: Active) -> None:
        """Know where the log goes on before there is anything to read."""
        await self._opened_log(active)

    async def watch(self, active: Active, seen: Observed) -> Observed | None:
        """See a running container to its end; None when it disappeared."""
        self._notices.begin()
        self._seen = None
        try:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(self._wait(active), name=f"wait {self._run}")
                hints = group.create_task(self._mind_hints(active), name=f"hints {self._run}")
                reading = group.create_task(self._read(active), name=f"read {self._run}")
                active = await self._record_start(active, seen)
                stopping = Stopping(self._world, self._run, self._notices)
                group.create_task(stopping.run(active), name=f"stop {self._run}")
                await self._notices.ended.wait()
                waiting.cancel()
                hints.cancel()
                await self._until_silent(reading)
                reading.cancel()
        except BaseExceptionGroup as failures:
            await self.close()
            raise _leading(failures) from failures
        except asyncio.CancelledError:
            await self.close()
            raise
        return self._seen

    async def finish(self, active: Active, seen: Observed) -> None:
        """Store the rest of the log, then the exit with the run's verdict, in one append."""
        try:
            await self._finish(active, seen)
        finally:
            await self.close()

    async def close(self) -> None:
        """Leave the log to the next one, with everything taken stored if that is quick."""
        log, self._log = self._log, None
        if log is not None:
            await log.close()

    async def _finish(self, active: Active, seen: Observed) -> None:
        active = await self._record_start(active, seen)
        log = await self._opened_log(active)
        finished_at = seen.finished_at or dt.datetime.now(dt.UTC)
        restarted = await self._was_restarted(active, seen, finished_at)
        await log.finish()
        await self._telling.settle()
        if self._world.watch.was_away_around(finished_at):
            await log.declare_gap("engine_restarted")
        await self._world.tell(
            self._run,
            RecordExit(
                active.attempt,
                exit_code=0 if seen.exit_code is None else seen.exit_code,
                out_of_memory=seen.out_of_memory,
                finished_at=finished_at,
                lines=log.recorder.lines,
                bytes=log.recorder.bytes,
                engine_restarted=restarted,
            ),
        )
        _log.info("run.exited", run=self._run, exit_code=seen.exit_code, lines=log.recorder.lines)

    async def _record_start(self, active: Active, seen: Observed) -> Active:
        if active.container_id is None:
            started_at = seen.started_at or dt.datetime.now(dt.UTC)
            command = RecordStarted(active.attempt, seen.container_id, seen.image, started_at)
            await self._world.tell(self._run, command)
            state = await self._world.recall(self._run)
            active = state if isinstance(state, Active) else active
        self._started.set()
        return active

    async def _read(self, active: Active) -> None:
        log = await self._opened_log(active)
        await log.follow(self._started, self._notices.ended)

    async def _opened_log(self, active: Active) -> Log:
        if self._log is None:
            self._log = await Log.open(self._world, self._run, active, self._telling.hear)
        return self._log

    async def _wait(self, active: Active) -> None:
        try:
            self._end(await self._world.engine.wait(active.container))
        except ContainerGone:
            self._end(None)

    async def _mind_hints(self, active: Active) -> None:
        """Look when somebody says so: a wait may never return."""
        while True:
            await self._notices.hinted()
            await asyncio.sleep(self._world.patience.hint_seconds)
            try:
                seen = await self._world.engine.observe(active.container)
            except ContainerGone:
                self._end(None)
            else:
                if seen.state == "exited":
                    self._end(seen)

    def _end(self, seen: Observed | None) -> None:
        if not self._notices.ended.is_set():
            self._seen = seen
            self._notices.end()

    async def _until_silent(self, reading: asyncio.Task[None]) -> None:
        """Let a followed log come to its own end, for as long as it still says something."""
        heard = -1.0
        while not reading.done() and heard != self._heard():
            heard = self._heard()
            await asyncio.wait((reading,), timeout=self._world.patience.silence_seconds_max)

    def _heard(self) -> float:
        return 0.0 if self._log is None else self._log.last_heard

    async def _was_restarted(self, active: Active, seen: Observed, finished_at: dt.datetime) -> bool:
        """Whether an end by a signal nobody ordered was the engine's doing, which may go away just after."""
        unexplained = seen.exit_code in SIGNAL_EXIT_CODES and not seen.out_of_memory and active.stop is None
        if not unexplained:
            return False
        watch, patience = self._world.watch, dt.timedelta(seconds=self._world.patience.restart_seconds)
        until = watch.here(finished_at) + patience
        while not watch.was_away_around(finished_at) and dt.datetime.now(dt.UTC) < until:
            await watch.answering()
            await asyncio.sleep(OUTAGE_LOOK_SECONDS)
        return watch.was_away_around(finished_at)


def _leading(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of several failures at once, the one that decides what happens next."""
    flat = [leaf for failure in failures.exceptions for leaf in _leaves(failure)]
    return min(flat, key=_rank)


def _leaves(failure: BaseException) -> list[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        return [leaf for inner in failure.exceptions for leaf in _leaves(inner)]
    return [failure]


def _rank(failure: BaseException) -> int:
    if not isinstance(failure, Exception):
        return 0
    if isinstance(failure, LeaseLost):
        return 1
    return 2 if isinstance(failure, Unavailable) else 3
