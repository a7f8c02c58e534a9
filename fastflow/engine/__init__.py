"""The container engine's port: what an engine must do, and what it promises.

The life of a container as the reactor sees it: `create` (idempotent by name), `start`, `logs` and `wait`
side by side, a last `logs` without follow once the exit is known, `remove`. `observe` is the truth at any
moment; `wakeups` only say when to look. No method changes a run's state: the reactor does, by commands.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from events.errors import FastFlowError, Unavailable
from events.run import Network


class EngineAway(Unavailable):
    """The container engine does not answer; runs wait, nothing is lost."""


class EngineRefused(FastFlowError):
    """The engine answered that it will not do this (a wrong command, a damaged image)."""


class ImageMissing(EngineRefused):
    """The engine does not have the image, and no registry gave it."""


class NameTaken(EngineRefused):
    """A container of that name exists and is not ours."""


class ContainerGone(FastFlowError):
    """The engine does not know this container (any more)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine shown inside the container."""

    source: str
    target: str
    read_only: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One container to be: everything `container_document` needs, and nothing an engine would have to ask."""

    name: str
    """The same (instance, run, attempt) always gives the same name, so a second create adopts the first."""
    image: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    """Always with `fastflow-instance`, `fastflow-run-id`, `fastflow-attempt`."""
    mounts: tuple[Mount, ...] = ()
    cpu_limit: float | None = None
    """Cores."""
    memory_limit_bytes: int | None = None
    network: Network = "bridge"
    log_bytes_max: int = 1 << 30
    """The engine's own log file must never rotate below this many bytes of output."""
    stop_grace_seconds: float = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Observed:
    """What the engine says about one container at one moment."""

    name: str
    container_id: str
    run: str
    attempt: int
    state: Literal["created", "running", "exited"]
    image: str = ""
    """The image's digest."""
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    exit_code: int | None = None
    out_of_memory: bool = False
    error: str = ""
    """The engine's words when the command could not be started."""


@dataclasses.dataclass(frozen=True, slots=True)
class EngineInfo:
    """What answered at the engine's address."""

    version: str
    clock_skew_seconds: float
    image_digest: str | None
    """Of the worker image; None when it is missing."""


STDOUT, STDERR = 1, 2

Piece: TypeAlias = tuple[int, int, bytes]
"""(stream, time in nanoseconds since 1970, text): at most 16 KiB of one line. The line goes on in the
stream's next piece when the text is full (16,384 bytes) and does not end with a newline."""


class Engine(Protocol):
    """Starts, watches and ends containers; every method may raise EngineAway."""

    async def probe(self, image: str) -> EngineInfo:
        """Who answers, whether its clock agrees with ours, and whether it has the image."""

    async def create(self, job: Job) -> Observed:
        """Create, or find that name already created by us. Raises ImageMissing, NameTaken, EngineRefused."""

    async def start(self, name: str) -> Observed:
        """Start; starting a running container changes nothing. Raises EngineRefused, ContainerGone."""

    async def observe(self, name: str) -> Observed:
        """The truth about one container. Raises ContainerGone."""

    async def observe_all(self, instance: str) -> Sequence[Observed]:
        """The truth about all containers labelled with this instance."""

    async def wait(self, name: str) -> Observed:
        """Return when the container has exited, however long that takes. Raises ContainerGone."""

    def wakeups(self, instance: str) -> AsyncIterator[str]:
        """Names of containers something happened to: hints that may be lost or repeated."""

    def logs(self, name: str, since: int, *, follow: bool) -> AsyncIterator[Sequence[Piece]]:
        """Pieces at or after `since` (nanoseconds, inclusive, 0 for all), in the order of each stream.

        A clean end proves nothing; closing the iterator closes the connection. Raises ContainerGone.
        """

    async def last_pieces(self, name: str, count: int) -> Sequence[Piece]:
        """The newest pieces, oldest first; fewer than `count` are the whole log. Raises ContainerGone."""

    async def signal(self, name: str, signal: Literal["TERM", "KILL"]) -> None:
        """Deliver a signal; a container that has ended is left alone. Raises ContainerGone."""

    async def remove(self, name: str) -> None:
        """Remove, running or not; a container already gone is success."""

    async def close(self) -> None:
        """Give back every connection."""
