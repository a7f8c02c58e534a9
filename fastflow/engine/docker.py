"""The engine on a Docker daemon: the one door to aiodocker, and our own streams for logs and events.

aiodocker makes the short calls. Its streams leak connections, drop the stream's number and damage bytes, so
those are read here, each over a connection of its own that is always closed; they ask in HTTP/1.0, because
then the daemon sends nothing but frames. Streams have a pool of their own: a hundred followed logs never hold
up a start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial
from typing import Any, Literal

import aiodocker
import aiohttp

from fastflow.engine import (
    ContainerGone,
    EngineAway,
    EngineInfo,
    EngineRefused,
    ImageMissing,
    Job,
    NameTaken,
    Observed,
    Piece,
    docker_logs,
)
from fastflow.engine.container import container_document
from fastflow.engine.docker_answers import (
    CONTAINERS_SEE_ONE_ANOTHER,
    DEFAULT_NETWORK,
    OWN_NETWORK,
    Conflict,
    Ground,
    ground,
    observed,
    refusal,
    refuse_podman,
)
from fastflow.engine.docker_connection import CONNECT_SECONDS, connection

CALL_SECONDS = 15.0
START_SECONDS = 60.0
"""A start waits for its turn behind others; the daemon here does about eight a second."""
WAIT_SECONDS = 300.0
"""A wait is asked again this often, because proxies and daemons forget silent connections."""
CREATED_WAIT_SECONDS = 5.0
CONTROL_CONNECTIONS_MAX = 16
CREATE_TRIES_MAX = 3
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.05, 1.0

_FAILURES = (aiohttp.ClientError, OSError, json.JSONDecodeError)


class DockerEngine:
    """Containers on one Docker daemon; made inside a running event loop, and closed with it."""

    def __init__(self, host: str | None = None, *, starts_max: int | None = None) -> None:
        """`host` as in DOCKER_HOST, None for the default socket; `starts_max` starts at the same time."""
        self._control = _client(host, CONTROL_CONNECTIONS_MAX, aiohttp.HttpVersion11)
        self._streams = _client(host, 0, aiohttp.HttpVersion10)
        self._starts = asyncio.Semaphore(starts_max or 2 * (os.cpu_count() or 1))
        self._created: set[str] = set()
        self._ground: Ground | None = None
        self._network_made = False

    async def probe(self, image: str) -> EngineInfo:
        """Who answers; Podman is refused, because its logs cannot be read without loss."""
        found = await self._look_around()
        try:
            async with _asking():
                digest: str | None = (await self._control.images.inspect(image))["Id"]
        except EngineRefused:
            digest = None
        return EngineInfo(found.version, found.clock_skew_seconds, digest)

    async def create(self, job: Job) -> Observed:
        """Create; the name of an earlier create is the proof that it arrived."""
        found = await self._found()
        document = container_document(job, found.machine)
        if document["HostConfig"]["NetworkMode"] == OWN_NETWORK:
            await self._make_network()
        for _ in range(CREATE_TRIES_MAX):
            try:
                async with _asking():
                    container = await self._control.containers.create(document, name=job.name)
            except (Conflict, ImageMissing) as error:
                with contextlib.suppress(ContainerGone):
                    return await self._adopted(job)
                if isinstance(error, ImageMissing):
                    raise
                await asyncio.sleep(PAUSE_SECONDS_MAX)  # the name's last owner is being removed
                continue
            self._created.add(job.name)
            return observed({"Name": job.name, "Id": container.id, "Config": {"Labels": dict(job.labels)}})
        raise NameTaken(f"a container named {job.name} is being removed and does not go")

    async def start(self, name: str) -> Observed:
        """Start a container that never ran: the daemon would run an ended one again, so look first."""
        async with self._starts:
            if name not in self._created:
                found = await self.observe(name)
                if found.error:
                    raise EngineRefused(found.error)
                if found.state != "created":
                    return found
            self._created.discard(name)
            await self._start(name)
        return await self.observe(name)

    async def observe(self, name: str) -> Observed:
        """The truth about one container."""
        return observed(await self._inspect(name))

    async def observe_all(self, instance: str) -> Sequence[Observed]:
        """The truth about all containers of an instance; one that goes meanwhile is left out."""
        async with _asking():
            listed = await self._control.containers.list(
                all=True, filters=json.dumps({"label": [f"fastflow-instance={instance}"]})
            )

        async def one(container_id: str) -> Observed | None:
            try:
                return await self.observe(container_id)
            except ContainerGone:
                return None

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(container.id)) for container in listed]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [found for task in tasks if (found := task.result()) is not None]

    async def wait(self, name: str) -> Observed:
        """Return when the container has ended; what the daemon's wait says only means: look again."""
        condition, pause = "not-running", 0.0
        while True:
            began = time.monotonic()
            await self._wait_once(name, condition)
            found = await self.observe(name)
            if found.state == "exited" or found.error:
                return found
            condition = "not-running" if found.state == "running" else "next-exit"
            in_vain = time.monotonic() - began < PAUSE_SECONDS
            pause = min(2 * pause or PAUSE_SECONDS, PAUSE_SECONDS_MAX) if in_vain else 0.0
            await asyncio.sleep(pause)

    async def wakeups(self, instance: str) -> AsyncIterator[str]:
        """Names of containers that started, died or went."""
        filters = {
            "type": ["container"],
            "event": ["start", "die", "oom", "kill", "destroy"],
            "label": [f"fastflow-instance={instance}"],
        }
        rest = b""
        async with contextlib.aclosing(self._blocks("events", {"filters": json.dumps(filters)})) as blocks:
            async for block in blocks:
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)["Actor"]["Attributes"]["name"]

    async def logs(self, name: str, since: int, *, follow: bool) -> AsyncIterator[Sequence[Piece]]:
        """Pieces at or after `since`, a batch for each block that arrived."""
        forgets = (await self._found()).forgets_newlines
        ask = partial(self._blocks, f"containers/{name}/logs")
        found = docker_logs.read(ask, since, follow=follow, forgets_newlines=forgets)
        async with contextlib.aclosing(found):
            async for batch in found:
                yield batch

    async def last_pieces(self, name: str, count: int) -> Sequence[Piece]:
        """The daemon reads its file backwards for this, so it takes milliseconds however long the log is."""
        forgets = (await self._found()).forgets_newlines
        ask = partial(self._blocks, f"containers/{name}/logs")
        return await docker_logs.newest(ask, count, forgets_newlines=forgets)

    async def signal(self, name: str, signal: Literal["TERM", "KILL"]) -> None:
        """Deliver a signal; the daemon's conflict means that the container does not run."""
        with contextlib.suppress(Conflict):
            async with _asking():
                await self._control.containers.container(name).kill(signal=f"SIG{signal}")

    async def remove(self, name: str) -> None:
        """Remove, running or not; gone, or being removed, is success."""
        self._created.discard(name)
        with contextlib.suppress(ContainerGone, Conflict):
            async with _asking(START_SECONDS):
                await self._control.containers.container(name).delete(force=True, v=True)

    async def close(self) -> None:
        """Close both pools."""
        for client in (self._control, self._streams):
            await client.close()
            await client.session.close()

    async def _found(self) -> Ground:
        return self._ground or await self._look_around()

    async def _look_around(self) -> Ground:
        async with _asking():
            version = await self._control.version()
            refuse_podman(version)
            before = time.time()
            information = await self._control.system.info()
            now = (before + time.time()) / 2
        self._ground = ground(version, information, await self._network(DEFAULT_NETWORK), now)
        self._streams.api_version = self._control.api_version
        return self._ground

    async def _inspect(self, name: str) -> dict[str, Any]:
        async with _asking():
            return await self._control.containers.container(name).show()

    async def _adopted(self, job: Job) -> Observed:
        document = await self._inspect(job.name)
        labels = document["Config"]["Labels"] or {}
        if any(labels.get(label) != value for label, value in job.labels.items()):
            raise NameTaken(f"a container named {job.name} exists and is not ours")
        return observed(document)

    async def _start(self, name: str) -> None:
        try:
            async with _asking(START_SECONDS):
                await self._control.containers.container(name).start()
        except EngineRefused as error:
            if f"network {OWN_NETWORK} not found" not in str(error):
                raise
            self._network_made = False
            await self._make_network()
            async with _asking(START_SECONDS):
                await self._control.containers.container(name).start()

    async def _make_network(self) -> None:
        if self._network_made:
            return
        if not await self._network(OWN_NETWORK):
            options = {CONTAINERS_SEE_ONE_ANOTHER: "false"}
            asked = {"Name": OWN_NETWORK, "Driver": "bridge", "CheckDuplicate": True, "Options": options}
            with contextlib.suppress(Conflict):
                async with _asking(START_SECONDS):
                    await self._control.networks.create(asked)
        self._network_made = True

    async def _network(self, name: str) -> dict[str, Any]:
        """What the daemon knows of a network; nothing when there is none."""
        with contextlib.suppress(EngineRefused):
            async with _asking():
                return dict(await (await self._control.networks.get(name)).show())
        return {}

    async def _wait_once(self, name: str, condition: str) -> None:
        limit = WAIT_SECONDS if condition == "not-running" else CREATED_WAIT_SECONDS
        with contextlib.suppress(EngineAway):  # the next look says whether the engine is away
            async with _asking(limit):
                await self._streams.containers.container(name).wait(condition=condition)

    async def _blocks(self, path: str, asked: dict[str, str]) -> AsyncGenerator[bytes, None]:
        await self._found()
        async with _asking():
            response = await self._streams._do_query(  # noqa: SLF001 - aiodocker has no public raw call
                path, "GET", params=asked, timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS)
            )
        try:
            async for block in response.content.iter_any():
                yield block
        except _FAILURES as error:
            raise EngineAway(str(error)) from error
        finally:
            response.close()


@contextlib.asynccontextmanager
async def _asking(seconds: float | None = None) -> AsyncIterator[None]:
    """One call to the daemon, with a limit, its failures told apart: away, refused, gone."""
    limit = CALL_SECONDS if seconds is None else seconds
    try:
        async with asyncio.timeout(limit):
            yield
    except aiodocker.DockerError as error:
        raise refusal(error.status, error.message) from error
    except TimeoutError:
        raise EngineAway(f"the container engine did not answer within {limit:g} s") from None
    except _FAILURES as error:
        raise EngineAway(str(error)) from error


def _client(host: str | None, connections_max: int, version: aiohttp.HttpVersion) -> aiodocker.Docker:
    address, session = connection(host, connections_max, version)
    return aiodocker.Docker(url=address, connector=session.connector, session=session)
