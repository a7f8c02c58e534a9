"""Takes one step of a run in the world; what a failure means is for the supervisor to judge."""

from __future__ import annotations

import asyncio
import dataclasses
from types import TracebackType
from typing import Self, assert_never

import structlog

from events.run import GapCause
from fastflow.domain.run import Active, Over, RecordFailure, RecordRemoved
from fastflow.engine import ContainerGone, Observed
from fastflow.engine.environments import DependenciesFailed
from fastflow.reactor.job import job_for
from fastflow.reactor.log import declare_gap
from fastflow.reactor.notices import Notices, unless_stopped
from fastflow.reactor.running import Running
from fastflow.reactor.setup import Setup
from fastflow.reactor.steps import (
    BuildEnvironment,
    CreateContainer,
    Finish,
    Follow,
    Nothing,
    Remove,
    Report,
    StartContainer,
    Step,
)
from fastflow.reactor.telling import Telling
from fastflow.reactor.world import World

_log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """What the engine showed at the last look; `seen` None means it has no such container."""

    seen: Observed | None


class Performing:
    """The hands of one run's supervisor."""

    def __init__(self, world: World, run: str, notices: Notices) -> None:
        self._world = world
        self._run = run
        self._notices = notices
        self._setup = Setup(world, run)
        self._telling = Telling(world, run)
        self._running = Running(world, run, notices, self._telling)

    async def __aenter__(self) -> Self:
        """Be ready to tell what scripts say."""
        await self._telling.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the log and of what was not told yet."""
        try:
            await self._running.close()
        finally:
            await self._telling.__aexit__(kind, error, trace)

    async def take(self, step: Step, looked: Looked) -> Looked | None:  # noqa: PLR0911  one case a step
        """Take a step; what is now known to be there, or None when that has to be looked up."""
        match step:
            case BuildEnvironment():
                return await self._build(step.active)
            case CreateContainer():
                return await self._create(step.active)
            case StartContainer():
                return await self._start(step.active)
            case Follow():
                self._telling.begin(step.active.attempt)
                return Looked(await self._running.watch(step.active, step.seen))
            case Finish():
                self._telling.begin(step.active.attempt)
                await self._running.finish(step.active, step.seen)
                return looked
            case Report():
                return await self._report(step, looked)
            case Remove():
                return await self._remove(step, looked)
            case Nothing():
                return looked
            case _:
                assert_never(step)

    async def _build(self, active: Active) -> Looked | None:
        try:
            stopped = await unless_stopped(self._notices, self._setup.ensure(active))
        except DependenciesFailed as failure:
            await self._setup.note_failure(active, failure.detail)
            return await self._report(Report(active, "dependencies_failed", failure.detail), Looked(None))
        return None if stopped else Looked(None)

    async def _create(self, active: Active) -> Looked | None:
        world, request = self._world, active.request
        if not (world.snapshots / request.snapshot).is_dir():
            detail = f"its code, snapshot {request.snapshot}, is not in the data folder any more"
            return await self._report(Report(active, "pipeline_missing", detail), Looked(None))
        if self._setup.is_needed(active):
            return await self._build(active)
        job = job_for(
            self._run,
            active,
            environment=self._setup.environment,
            trust=world.environments.trust,
            image=world.settings.worker_base_image,
            instance=world.instance,
            snapshots=world.snapshots,
            log_bytes_max=world.log_bytes_max,
        )
        return Looked(await world.engine.create(job))

    async def _start(self, active: Active) -> Looked:
        """The log is opened meanwhile, so that the first line need not wait for that."""
        opening = asyncio.create_task(self._running.prepare(active))
        try:
            return Looked(await self._world.engine.start(active.container))
        except BaseException:
            opening.cancel()
            raise
        finally:
            await asyncio.gather(opening, return_exceptions=True)

    async def _report(self, report: Report, looked: Looked) -> Looked:
        active = report.active
        if active.container_id is not None:
            cause: GapCause = "container_lost" if report.reason == "lost" else "engine_log_damaged"
            last_line = await self._world.store.last_line(self._run)
            await declare_gap(self._world, self._run, active, cause, last_line)
        _log.warning("run.failed", run=self._run, reason=report.reason, detail=report.detail)
        await self._world.tell(self._run, RecordFailure(active.attempt, report.reason, report.detail))
        return looked

    async def _remove(self, step: Remove, looked: Looked) -> Looked:
        """Only what carries this run's label: a name can be somebody else's."""
        seen = looked.seen
        if seen is None:
            try:
                seen = await self._world.engine.observe(step.name)
            except ContainerGone:
                seen = None
        if seen is not None and seen.run == self._run:
            await self._world.engine.remove(step.name)
        if isinstance(await self._world.recall(self._run), Over):
            await self._world.tell(self._run, RecordRemoved(step.attempt))
        return Looked(None)
