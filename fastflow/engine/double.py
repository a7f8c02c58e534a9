"""An engine in memory that behaves as the real one was measured to; the job's environment is its script.

`DOUBLE_LINES`, `DOUBLE_ERROR_LINES` (how many numbered lines to print), `DOUBLE_STDOUT`, `DOUBLE_STDERR`
(base64 of bytes to print), `DOUBLE_EXIT_CODE`, `DOUBLE_HOLD` (runs until signalled or released),
`DOUBLE_IGNORE_TERM`, `DOUBLE_MEMORY` (bytes it takes), `DOUBLE_OOM` (`main` or `child` is killed for memory),
`DOUBLE_EARLY_END` (a followed log ends cleanly after so many pieces, whatever there is), `DOUBLE_START_FAIL`
(the words with which every start is refused). The command `no-such-command` ends with 127, as init makes it.
The engine outlives its users' crashes, as a daemon does: keep the object, build the rest anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal

from fastflow.engine import (
    STDOUT,
    ContainerGone,
    EngineAway,
    EngineInfo,
    EngineRefused,
    ImageMissing,
    Job,
    NameTaken,
    Observed,
    Piece,
)
from fastflow.engine.double_container import Clock, DoubleContainer

PIECES_PER_BATCH = 64
HINTS_MAX = 10_000


class DoubleEngine:
    """The container engine of tests."""

    def __init__(self) -> None:
        self.containers: dict[str, DoubleContainer] = {}
        self.missing_images: set[str] = set()
        self.away = False
        """While true every call and every open stream fails with EngineAway; set it by `go_away`."""
        self.starts: list[str] = []
        """Names in the order their scripts really began: a name twice means a script ran twice."""
        self._clock = Clock()
        self._cuts = 0
        self._hints: set[asyncio.Queue[str | None]] = set()

    # What the orchestrator may ask: the port.

    async def probe(self, image: str) -> EngineInfo:
        """Who answers."""
        await self._call()
        return EngineInfo("double", 0.0, None if image in self.missing_images else _digest(image))

    async def create(self, job: Job) -> Observed:
        """Create, or adopt what an earlier create left."""
        await self._call()
        existing = self.containers.get(job.name)
        if existing is not None:
            if dict(existing.job.labels) != dict(job.labels):
                raise NameTaken(f"a container named {job.name} exists and is not ours")
            return existing.observed()
        if job.image in self.missing_images:
            raise ImageMissing(f"No such image: {job.image}")
        container = DoubleContainer(job, _digest(job.image), self._clock)
        self.containers[job.name] = container
        return container.observed()

    async def start(self, name: str) -> Observed:
        """Start once; a second start changes nothing."""
        await self._call()
        container = self._container(name)
        if container.state == "created":
            if words := container.job.env.get("DOUBLE_START_FAIL"):
                raise EngineRefused(words)
            container.start()
            self.starts.append(name)
            self._hint(name)
        return container.observed()

    async def observe(self, name: str) -> Observed:
        """The truth about one container."""
        await self._call()
        return self._container(name).observed()

    async def observe_all(self, instance: str) -> Sequence[Observed]:
        """The truth about all containers of an instance."""
        await self._call()
        return [c.observed() for c in self._of(instance)]

    async def wait(self, name: str) -> Observed:
        """Return when the container has ended."""
        await self._call()
        container = self._container(name)
        while container.state != "exited":
            await self._change(container)
            if container.removed:
                raise ContainerGone(f"No such container: {name}")
        return container.observed()

    async def wakeups(self, instance: str) -> AsyncIterator[str]:
        """Names of containers something happened to."""
        await self._call()
        queue: asyncio.Queue[str | None] = asyncio.Queue(HINTS_MAX)
        self._hints.add(queue)
        try:
            while (name := await queue.get()) is not None:
                container = self.containers.get(name)
                if container is None or container.job.labels.get("fastflow-instance") == instance:
                    yield name
            raise EngineAway
        finally:
            self._hints.discard(queue)

    async def logs(self, name: str, since: int, *, follow: bool) -> AsyncIterator[Sequence[Piece]]:
        """Pieces at or after `since`, inclusive; a follow ends with the container, or early if told so."""
        await self._call()
        container = self._container(name)
        limit = container.follow_pieces_max if follow else None
        index = 0
        while limit is None or index < limit:
            batch = container.pieces[index : index + PIECES_PER_BATCH]
            if limit is not None:
                batch = batch[: limit - index]
            if batch:
                index += len(batch)
                if wanted := [piece for piece in batch if piece[1] >= since]:
                    yield wanted
                await self._call()
            elif not follow or container.state != "running":
                return
            else:
                await self._change(container)

    async def last_pieces(self, name: str, count: int) -> Sequence[Piece]:
        """The end of what was printed so far."""
        await self._call()
        return self._container(name).pieces[-count:]

    async def signal(self, name: str, signal: Literal["TERM", "KILL"]) -> None:
        """Deliver a signal to a running container."""
        await self._call()
        container = self._container(name)
        if container.state == "running":
            container.signal(signal)
            self._hint(name)

    async def remove(self, name: str) -> None:
        """Remove, running or not."""
        await self._call()
        self.vanish(name)

    async def close(self) -> None:
        """Nothing to give back."""

    # What tests do to it.

    def release(self, name: str, exit_code: int | None = None) -> None:
        """Let a held script end by itself."""
        self.containers[name].release(exit_code)
        self._hint(name)

    def write(self, name: str, data: bytes, stream: int = STDOUT) -> None:
        """Let a held script print."""
        self.containers[name].write(stream, data)

    def vanish(self, name: str) -> None:
        """Somebody removes the container behind our back."""
        container = self.containers.pop(name, None)
        if container is not None:
            container.vanish()
            self._hint(name)

    def go_away(self) -> None:
        """The engine stops answering and every open call breaks; containers go on."""
        self.away = True
        self.cut()

    def come_back(self) -> None:
        """The engine answers again."""
        self.away = False

    def cut(self) -> None:
        """Every open call and stream breaks once; the engine answers all the time."""
        self._cuts += 1
        for container in self.containers.values():
            container.changed()
        self._hint(None)

    def restart(self) -> None:
        """The daemon restarts without live-restore: every script is ended with 143."""
        for name, container in self.containers.items():
            if container.state == "running":
                container.end(143)
                self._hint(name)

    async def _call(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise EngineAway

    async def _change(self, container: DoubleContainer) -> None:
        cuts = self._cuts
        await container.change()
        if self._cuts != cuts:
            raise EngineAway

    def _container(self, name: str) -> DoubleContainer:
        try:
            return self.containers[name]
        except KeyError:
            raise ContainerGone(f"No such container: {name}") from None

    def _of(self, instance: str) -> Iterator[DoubleContainer]:
        return (c for c in self.containers.values() if c.job.labels.get("fastflow-instance") == instance)

    def _hint(self, name: str | None) -> None:
        for queue in self._hints:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(name)


def _digest(image: str) -> str:
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
