"""The environment of an attempt: found ready, or built before its container is created, and written down."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from events.chunk import read_head
from events.system import EnvironmentFailed, EnvironmentReady
from fastflow.capture.recorder import Recorder
from fastflow.domain.run import Active, RecordSetupFinished, RecordSetupStarted
from fastflow.engine import ImageMissing
from fastflow.engine.environments import DependenciesFailed, Environment
from fastflow.reactor.steps import needs_environment
from fastflow.reactor.world import World

NOTE_BYTES_MAX = 16_384


class Setup:
    """Of one run; what it found is kept for the container's creation."""

    def __init__(self, world: World, run: str) -> None:
        self.environment: Environment | None = None
        """Ready; None while none is, or when the script needs none."""
        self._world = world
        self._run = run

    def is_needed(self, active: Active) -> bool:
        """Whether the container has to wait for an environment."""
        return self.environment is None and needs_environment(active)

    async def ensure(self, active: Active) -> None:
        """Have the environment ready. Raises DependenciesFailed, ImageMissing."""
        request, began = active.request, time.monotonic()
        wanted = (request.requirements, request.python_version)
        environment = await self._world.environments.ready(*wanted, image_digest(self._world))
        cached = environment is not None
        if environment is None:
            await self._world.tell(self._run, RecordSetupStarted(active.attempt))
            environment = await build(self._world, *wanted)
        command = RecordSetupFinished(
            active.attempt,
            environment=environment.key,
            cached=cached,
            seconds=round(time.monotonic() - began, 3),
            packages=environment.packages,
        )
        await self._world.tell(self._run, command)
        self.environment = environment

    async def note_failure(self, active: Active, message: str) -> None:
        """Put uv's message at the end of the run's log, once, however often this is tried."""
        last_line = await self._world.store.last_line(self._run)
        for chunk in await self._world.store.read_chunks(self._run, last_line, 1) if last_line else ():
            if read_head(chunk.head).attempt == active.attempt:
                return
        recorder = await Recorder.resume(self._world.store, self._run, active.attempt, self._world.fence)
        try:
            await recorder.note(time.time_ns(), message.encode(errors="replace")[-NOTE_BYTES_MAX:])
            await recorder.finish()
        finally:
            await recorder.aclose()


async def build(world: World, requirements: tuple[str, ...], python_version: str | None) -> Environment:
    """Build an environment and tell what became of it. Raises DependenciesFailed, ImageMissing."""
    digest = requirements_digest(requirements, python_version)
    try:
        environment = await world.environments.build(requirements, python_version, image_digest(world), None)
    except DependenciesFailed as failure:
        told = EnvironmentFailed(requirements=requirements, detail=failure.detail)
        await world.tell_environment(digest, told)
        raise
    ready = EnvironmentReady(
        environment=environment.key,
        requirements=requirements,
        lock=environment.lock,
        packages=environment.packages,
        seconds=environment.seconds,
    )
    await world.tell_environment(digest, ready)
    return environment


def image_digest(world: World) -> str:
    """The worker image's; raises ImageMissing while there is none, or nobody knows."""
    digest = world.watch.image_digest
    if digest is None:
        raise ImageMissing(world.settings.worker_base_image)
    return digest


def requirements_digest(requirements: Sequence[str], python_version: str | None) -> str:
    """The name of the stream that tells of an environment: the same wish, the same stream."""
    return hashlib.sha256("\n".join((python_version or "", *requirements)).encode()).hexdigest()
