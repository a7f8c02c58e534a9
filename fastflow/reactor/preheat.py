"""Builds environments as soon as pipelines are defined, one at a time, so that runs find them ready."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from events import checkpoint
from events.base import Event, Recorded
from events.errors import LeaseLost, Unavailable
from events.follower import Follower
from events.pipeline import PipelineDefined
from events.wake import Wake
from fastflow.asking import asked_python
from fastflow.engine import EngineAway, EngineRefused, ImageMissing
from fastflow.engine.environments import DependenciesFailed
from fastflow.reactor.patience import Backoff
from fastflow.reactor.setup import build, image_digest
from fastflow.reactor.world import World
from sql.database import Database

FOLLOWER = "pre-heat"

_log = structlog.get_logger()


class Preheat:
    """Follows definitions of pipelines; what fails here fails again, visibly, in the run that needs it."""

    def __init__(self, world: World, database: Database, wake: Wake) -> None:
        self._world = world
        self._database = database
        self._wake = wake

    async def run(self) -> None:
        """Build for ever. Raises LeaseLost."""
        backoff = Backoff(self._world.patience)
        while True:
            try:
                await self._follow()
            except Unavailable as error:
                _log.info("preheat.waits", reason=str(error))
                await backoff.pause()

    async def _follow(self) -> None:
        position = await checkpoint.load(self._database, FOLLOWER)
        types = frozenset({PipelineDefined.type_name()})
        follower = Follower(self._world.store, self._wake, position, types)
        async for batch in follower:
            for definition in _latest(batch):
                await self._build(definition)
            async with self._database.acquire() as connection:
                if not await checkpoint.advance(connection, FOLLOWER, position, follower.position):
                    raise LeaseLost
            position = follower.position

    async def _build(self, definition: PipelineDefined) -> None:
        if not (definition.enabled and definition.requirements):
            return
        world = self._world
        python = asked_python(definition.python_version, world.settings.worker_base_image)
        wanted = (definition.requirements, python)
        while True:
            try:
                await world.watch.usable()
                if await world.environments.ready(*wanted, image_digest(world)) is None:
                    await build(world, *wanted)
            except (EngineAway, ImageMissing):
                await world.watch.answering()
            except (DependenciesFailed, EngineRefused) as failure:
                _log.warning("preheat.failed", requirements=definition.requirements, reason=str(failure))
                return
            else:
                return


def _latest(batch: Iterable[Recorded[Event]]) -> Iterable[PipelineDefined]:
    """The last definition of each pipeline."""
    latest = {recorded.stream.key: recorded.event for recorded in batch}
    return [event for event in latest.values() if isinstance(event, PipelineDefined)]
