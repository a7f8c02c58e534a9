"""What can happen to Fast-Flow itself: its processes, its engine, its environments."""

from __future__ import annotations

from typing import TypeAlias

from events.base import Event, Stream

ENGINE = Stream("system", "engine")
PROCESSES = Stream("system", "processes")


def environment(requirements_digest: str) -> Stream:
    """The stream of the environment that a list of requirements leads to."""
    return Stream("environment", requirements_digest)


class ProcessStarted(Event, frozen=True, tag="system.process_started"):
    """A Fast-Flow process started."""

    role: str
    """`up`, `web` or `work`."""
    release: str
    host: str


class ProcessStopped(Event, frozen=True, tag="system.process_stopped"):
    """A Fast-Flow process stopped as asked; a crash leaves no such event."""

    role: str
    host: str


class EngineConnected(Event, frozen=True, tag="system.engine_connected"):
    """The container engine answers, and the worker image is or is not there."""

    engine_version: str
    image: str
    image_digest: str | None
    """None: the worker image is missing, runs wait."""


class EngineLost(Event, frozen=True, tag="system.engine_lost"):
    """The container engine stopped answering; runs wait, nothing is concluded about running ones."""

    detail: str


class EnvironmentReady(Event, frozen=True, tag="environment.ready"):
    """An environment was built, or found built, for a list of requirements."""

    environment: str
    requirements: tuple[str, ...]
    lock: str
    packages: int
    seconds: float


class EnvironmentFailed(Event, frozen=True, tag="environment.failed"):
    """An environment could not be built."""

    requirements: tuple[str, ...]
    detail: str
    """uv's own words."""


SystemEvent: TypeAlias = (
    ProcessStarted | ProcessStopped | EngineConnected | EngineLost | EnvironmentReady | EnvironmentFailed
)
