"""Sees one run through: again and again, look what is known and what is there, and take the next step."""

from __future__ import annotations

from typing import TypeAlias

import structlog

from events.errors import LeaseLost, Unavailable, VersionConflict
from fastflow.domain.run import Active, BeginAttempt, Over, RunAlreadyOver, RunState, Unborn, Waiting
from fastflow.engine import ContainerGone, EngineAway, EngineRefused, ImageMissing
from fastflow.reactor.job import container_name
from fastflow.reactor.log import declare_gap
from fastflow.reactor.notices import Notices, unless_stopped
from fastflow.reactor.patience import Backoff
from fastflow.reactor.performing import Looked, Performing
from fastflow.reactor.steps import Nothing, Report, next_step, refused
from fastflow.reactor.world import World

DETAIL_LENGTH_MAX = 2000

_log = structlog.get_logger()

LeftToDo: TypeAlias = bool


class Attempt:
    """The supervisor of one run, from the queue or from wherever a crash left it."""

    def __init__(self, world: World, run: str, looked: Looked | None) -> None:
        """`looked` is what a look at all containers showed; None looks for the container first."""
        self.run = run
        self.notices = Notices()
        self._world = world
        self._looked = looked
        self._state: RunState = Unborn()
        self._performing = Performing(world, run, self.notices)
        self._backoff = Backoff(world.patience)
        self._failures = 0
        self._verdict: Report | None = None
        self._gap_due = False

    @property
    def container(self) -> str | None:
        """The name of the container it looks after, once there is one."""
        return self._state.container if isinstance(self._state, Active | Over) else None

    async def see_through(self) -> None:
        """Return when nothing of the run is left to do. Raises LeaseLost."""
        async with self._performing:
            while await self._survive():
                pass

    async def _survive(self) -> LeftToDo:
        """One step; a failure of it means another try, or another step, and never an end in silence."""
        outages = self._world.watch.outages_seen
        try:
            return await self._go_on()
        except LeaseLost:
            raise
        except EngineAway:
            await self._world.watch.answering()
            self._gap_due = self._gap_due or self._world.watch.outages_seen != outages
            await self._backoff.pause()
        except ImageMissing:
            await self._wait_for_image()
        except (Unavailable, VersionConflict, ContainerGone) as passing:
            _log.info("run.tried_again", run=self.run, reason=str(passing))
            await self._backoff.pause()
        except RunAlreadyOver:
            _log.info("run.over_before_it_began", run=self.run)
        except Exception as failure:  # noqa: BLE001 - one run's trouble is not the others'
            await self._fail(failure)
        return True

    async def _go_on(self) -> LeftToDo:
        looked, self._looked = self._looked, None
        self._state = await (self._world.state if looked is None else self._world.recall)(self.run)
        if isinstance(self._state, Waiting) and (looked is None or looked.seen is None):
            await self._begin(self._state)
            return True
        looked = looked or await self._look(self._state)
        await self._declare_due_gap()
        step = self._verdict or next_step(self._state, looked.seen)
        if isinstance(step, Nothing):
            return False
        self._looked = await self._performing.take(step, looked)
        self._verdict, self._failures = None, 0
        self._backoff.reset()
        return True

    async def _begin(self, waiting: Waiting) -> None:
        attempt = waiting.attempts + 1
        name = container_name(self._world.instance, self.run, attempt)
        await self._world.tell(self.run, BeginAttempt(attempt, name))
        self._looked = Looked(None)

    async def _look(self, state: RunState) -> Looked:
        """Only a container that carries this run's label is this run's."""
        if not isinstance(state, Active | Over) or state.container is None:
            return Looked(None)
        try:
            seen = await self._world.engine.observe(state.container)
        except ContainerGone:
            return Looked(None)
        return Looked(seen if seen.run == self.run else None)

    async def _declare_due_gap(self) -> None:
        """After an outage of the engine some of what a running container printed may be lost."""
        if self._gap_due and isinstance(self._state, Active) and self._state.container_id is not None:
            last_line = await self._world.store.last_line(self.run)
            await declare_gap(self._world, self.run, self._state, "engine_restarted", last_line)
        self._gap_due = False

    async def _wait_for_image(self) -> None:
        """Not a failure of the run: it goes on when the image is there, or ends when it is told to."""
        _log.warning("run.waits_for_image", run=self.run, image=self._world.settings.worker_base_image)
        await self._world.watch.answering()
        await unless_stopped(self.notices, self._world.watch.usable())
        await self._backoff.pause()

    async def _fail(self, failure: Exception) -> None:
        """What a failure nobody foresaw means: after some tries in vain the run has failed."""
        active = self._state if isinstance(self._state, Active) else None
        if active is not None and isinstance(failure, EngineRefused):
            self._verdict = refused(active, failure)
        if self._verdict is None:
            _log.error("run.step_failed", run=self.run, failures=self._failures + 1, exc_info=failure)
            self._failures += 1
            await self._backoff.pause()
        if active is not None and self._failures >= self._world.patience.tries_max:
            detail = f"{type(failure).__name__}: {failure}"[:DETAIL_LENGTH_MAX]
            self._verdict = Report(active, "engine_error", detail)
