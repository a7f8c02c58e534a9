"""The real application over a real database and a real socket, and hands to make things happen in the log."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import pathlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec
import pytest

from events import chunk
from events import pipeline as pipelines
from events import run as runs
from events.base import Event, Metadata, Stream
from events.pipeline import PipelineDefined
from events.run import (
    AttemptBegun,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    RunRequested,
    RunSucceeded,
)
from events.store import EventStore
from events.system import ENGINE, EngineConnected
from events.uuid7 import uuid7
from events.wake import Wake
from fastflow.asking import Asking
from fastflow.commands import Commands
from fastflow.serving import Server, listen
from fastflow.settings import Settings
from projections import PROJECTORS, waiting
from projections.rebuild import ensure_current
from projections.runner import Runner
from sql.database import Database
from web.app import create_app
from web.live import Live, Page

SECONDS_MAX = 10
AT = 1_764_000_000_000
SNAPSHOT = "0f" * 32


@dataclasses.dataclass
class House:
    """A running Fast-Flow without its worker: what a worker would report, a test says."""

    client: httpx.AsyncClient
    database: Database
    wake: Wake
    store: EventStore
    live: Live
    server: Server
    address: str

    async def tell(self, stream: Stream, *events: Event, actor: str = "system") -> int:
        """Append, and wait until the read models show it."""
        appended = await self.store.append(stream, events, expected=None, meta=Metadata(actor=actor))
        assert await waiting.reached(self.database, self.wake, appended.position, SECONDS_MAX)
        return appended.position

    async def engine(self, digest: str | None = "sha256:0") -> None:
        """A container engine answers."""
        await self.tell(
            ENGINE, EngineConnected(engine_version="20.10", image="fastflow-worker:3.11", image_digest=digest)
        )

    async def pipeline(self, name: str = "sales", **fields: object) -> None:
        """A pipeline is found."""
        defined = PipelineDefined(
            snapshot=SNAPSHOT,
            form="file",
            entry=f"{name}.py",
            source="import csv\n\n\ndef main():\n    print('sold')  # all of it\n",
            configuration={"timeout": 60},
        )
        await self.tell(pipelines.stream(name), msgspec.structs.replace(defined, **fields))

    async def requested(self, pipeline: str = "sales", **fields: object) -> str:
        """A run waits."""
        run = str(uuid7())
        request = RunRequested(pipeline=pipeline, snapshot=SNAPSHOT, entry=f"{pipeline}.py")
        await self.tell(runs.stream(run), msgspec.structs.replace(request, **fields), actor="page")
        return run

    async def started(self, pipeline: str = "sales", **fields: object) -> str:
        """A run whose script runs."""
        run = await self.requested(pipeline, **fields)
        await self.tell(
            runs.stream(run),
            AttemptBegun(attempt=1, container="c"),
            ContainerStarted(attempt=1, container_id="c", image="sha256:0", started_at=when(0)),
        )
        return run

    async def printed(self, run: str, *texts: bytes, stream: str = "stdout") -> int:
        """The script printed lines; the number of the last one."""
        kind = chunk.OUT if stream == "stdout" else chunk.ERR
        return await self.wrote(run, [(kind, text) for text in texts])

    async def wrote(self, run: str, lines: Sequence[tuple[int, bytes]]) -> int:
        """Lines of both streams, in one chunk."""
        draft = chunk.Draft()
        for kind, text in lines:
            draft.add(kind, AT * 1_000_000, text + b"\n")
        payload = chunk.encode(draft)
        head = chunk.ChunkHead(
            attempt=1,
            bytes=draft.bytes_written(),
            total=draft.bytes_written(),
            at=AT,
            out=(1, 1),
            err=(1, 1),
            since=1,
            sha256=chunk.digest(payload),
        )
        first = await self.store.last_line(run) + 1
        last = first + len(lines) - 1
        await self.store.append_chunk(run, first, last, msgspec.to_builtins(head), payload)
        return last

    async def finished(self, run: str) -> None:
        """The script ended well."""
        lines = await self.store.last_line(run)
        await self.tell(
            runs.stream(run),
            ContainerExited(
                attempt=1, exit_code=0, out_of_memory=False, finished_at=when(12), lines=lines, bytes=100
            ),
            RunSucceeded(attempt=1),
            ContainerRemoved(attempt=1),
        )

    async def somebody_waits(self) -> None:
        """A page or a program waits to be told of changes."""
        page = self.live.page

        arrived = asyncio.Event()

        def noticing(*arguments: Any) -> contextlib.AbstractContextManager[Page]:
            arrived.set()
            return page(*arguments)

        if not self.live.pages:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(self.live, "page", noticing)
                await arrived.wait()

    async def done(self, pipeline: str = "sales", *texts: bytes) -> str:
        """A run from beginning to end."""
        run = await self.started(pipeline)
        if texts:
            await self.printed(run, *texts)
        await self.finished(run)
        return run


def when(seconds: float) -> dt.datetime:
    """A moment some seconds after the tests' beginning of time."""
    return dt.datetime.fromtimestamp(AT / 1000 + seconds, dt.UTC)


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Settings:
    return Settings(
        pipelines_dir=tmp_path / "pipelines",
        data_dir=tmp_path,
        logs_dir=tmp_path / "logs",
        uv_cache_dir=tmp_path / "uv-cache",
    )


@pytest.fixture
async def house(
    database: Database, wake: Wake, store: EventStore, settings: Settings
) -> AsyncIterator[House]:
    async with opened(database, wake, store, settings) as running:
        yield running


@contextlib.asynccontextmanager
async def opened(
    database: Database, wake: Wake, store: EventStore, settings: Settings
) -> AsyncIterator[House]:
    """A house that runs as long as this context."""
    await ensure_current(database)
    live = Live(database, wake)
    asking = Asking(Commands(store), store, settings)
    app = create_app(database=database, wake=wake, store=store, asking=asking, settings=settings, live=live)
    server = Server(app, live.close)
    listening = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runner = Runner(database, wake, PROJECTORS, owner="test")
    async with asyncio.TaskGroup() as tasks:
        projecting = tasks.create_task(runner.run())
        tasks.create_task(live.watch())
        serving = tasks.create_task(server.serve([listening]))
        async with httpx.AsyncClient(base_url=address, timeout=SECONDS_MAX) as client:
            yield House(client, database, wake, store, live, server, address)
        server.end()
        await serving
        projecting.cancel()
    listening.close()


@contextlib.asynccontextmanager
async def stream_of(
    house: House, path: str, headers: dict[str, str] | None = None
) -> AsyncIterator[Messages]:
    """An open stream of server-sent events."""
    async with (
        httpx.AsyncClient(base_url=house.address, timeout=SECONDS_MAX) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        yield Messages(answer)


@dataclasses.dataclass(frozen=True)
class Message:
    """One message."""

    event: str
    id: str
    data: Any


class Messages:
    """The messages of a stream, one by one (HTML standard, section 9.2)."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._blocks = self._read()

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message:
        async with asyncio.timeout(SECONDS_MAX):
            return await anext(self._blocks)

    async def _read(self) -> AsyncIterator[Message]:
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            elif not line and "data" in fields:
                yield Message(
                    fields.get("event", "message"), fields.get("id", ""), msgspec.json.decode(fields["data"])
                )
            if not line:
                fields = {}
