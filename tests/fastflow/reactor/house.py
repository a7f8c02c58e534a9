"""A worker's world for tests: a real log, the double engine, and workers built again and again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from events import run as runs
from events.base import Event, Recorded
from events.chunk import Line, decode
from events.errors import DatabaseAway
from events.run import ContainerRemoved, RunCancelled, RunFailed, RunRequested, RunSucceeded
from events.store import EventStore
from events.wake import Wake
from fastflow.commands import Commands
from fastflow.domain.run import CancelRun, RequestRun
from fastflow.domain.run_rules import RUN
from fastflow.engine import Engine, EngineAway, Job, Observed
from fastflow.engine.double import DoubleEngine
from fastflow.engine.environments import Environments
from fastflow.engine.gates import Gates
from fastflow.engine.trust import Trust
from fastflow.identity import new_run
from fastflow.reactor.patience import Patience
from fastflow.reactor.worker import Worker
from fastflow.settings import Settings
from sql.database import Database

QUICK = Patience(
    retry_seconds_first=0.005,
    retry_seconds_max=0.05,
    tries_max=5,
    look_seconds=0.2,
    image_look_seconds=0.02,
    reconcile_seconds=0.2,
    orphan_seconds=0.4,
    hint_seconds=0.02,
    kill_again_seconds=0.05,
    silence_seconds_max=0.1,
    restart_seconds=0.2,
    detach_seconds=0.5,
    checkpoint_seconds=0.05,
)
DEADLINE_SECONDS = 30.0
"""For anything that is promised to happen; reached only when the promise is broken."""


class CountingEngine(DoubleEngine):
    """Remembers every container it really made."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[str] = []

    async def create(self, job: Job) -> Observed:
        new = job.name not in self.containers
        seen = await super().create(job)
        if new:
            self.created.append(job.name)
        return seen


@dataclasses.dataclass
class House:
    """Everything that outlives a worker."""

    database: Database
    wake: Wake
    store: EventStore
    folder: Path
    engine: CountingEngine = dataclasses.field(default_factory=CountingEngine)
    instance: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    patience: Patience = QUICK
    max_concurrent_runs: int = 10
    log_max_size_mb: int = 1024
    uv_pre_heat: bool = False

    def __post_init__(self) -> None:
        (self.folder / "snapshots" / "code").mkdir(parents=True, exist_ok=True)
        self.commands = Commands(self.store)
        self.real_engine: Engine = self.engine

    @property
    def settings(self) -> Settings:
        return Settings(
            pipelines_dir=self.folder / "pipelines",
            data_dir=self.folder,
            logs_dir=self.folder / "logs",
            uv_cache_dir=self.folder / "uv",
            uv_pre_heat=self.uv_pre_heat,
            max_concurrent_runs=self.max_concurrent_runs,
            log_max_size_mb=self.log_max_size_mb,
        )

    def environments(self, engine: Engine | None = None) -> Environments:
        where = self.folder / "environments"
        return Environments(engine or self.real_engine, where, instance=self.instance, trust=Trust())

    def worker(self, gates: Gates | None = None) -> Worker:
        """A worker; with gates, every call it makes passes one."""
        store, engine = self.store, self.real_engine
        if gates is not None:
            store = gates.guard("store", store, DatabaseAway)
            engine = gates.guard("engine", engine, EngineAway)
        return Worker(
            store=store,
            commands=Commands(store),
            database=self.database,
            wake=self.wake,
            engine=engine,
            environments=self.environments(engine),
            snapshots=self.folder / "snapshots",
            settings=self.settings,
            instance=self.instance,
            owner=f"test-{uuid.uuid4().hex[:8]}",
            patience=self.patience,
        )

    @contextlib.asynccontextmanager
    async def working(self, gates: Gates | None = None) -> AsyncIterator[Worker]:
        """A worker at work, told to stop at the end."""
        worker = self.worker(gates)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            try:
                yield worker
            finally:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await worker.stop()

    async def request(
        self,
        env: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float | None = None,
        stop_grace_seconds: float = 0.1,
        requirements: tuple[str, ...] = (),
        memory_limit_bytes: int | None = None,
        snapshot: str = "code",
        entry: str = "main.py",
        **more: str,
    ) -> str:
        """An accepted run whose environment steers the double."""
        request = RunRequested(
            pipeline="sales",
            snapshot=snapshot,
            entry=entry,
            env={**(env or {}), **more},
            timeout_seconds=timeout_seconds,
            stop_grace_seconds=stop_grace_seconds,
            requirements=requirements,
            memory_limit_bytes=memory_limit_bytes,
            network="none",
        )
        run = new_run()
        await self.commands.handle(RUN, runs.stream(run), RequestRun(request))
        return run

    async def cancel(self, run: str) -> None:
        await self.commands.handle(RUN, runs.stream(run), CancelRun("ana"))

    async def history(self, run: str) -> list[Recorded[Event]]:
        return await self.store.read_stream(runs.stream(run))

    async def kinds(self, run: str) -> list[str]:
        """What happened to a run, as the names of its events without `run.`."""
        return [recorded.event.type_name().removeprefix("run.") for recorded in await self.history(run)]

    async def until(self, run: str, *kinds: type[Event]) -> Event:
        """Wait for the first event of these kinds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                position = self.wake.control
                for recorded in await self.history(run):
                    if isinstance(recorded.event, kinds):
                        return recorded.event
                await self.wake.beyond_control(position, 0.5)

    async def ended(self, run: str) -> RunSucceeded | RunFailed | RunCancelled:
        """Wait until nothing is left of a run; how it ended."""
        await self.until(run, ContainerRemoved)
        return await self.verdict(run)

    async def verdict(self, run: str) -> RunSucceeded | RunFailed | RunCancelled:
        """Wait for a run's end, and make sure there is one only."""
        await self.until(run, RunSucceeded, RunFailed, RunCancelled)
        ends = [
            recorded.event
            for recorded in await self.history(run)
            if isinstance(recorded.event, RunSucceeded | RunFailed | RunCancelled)
        ]
        assert len(ends) == 1
        return ends[0]

    async def lines(self, run: str) -> list[Line]:
        """A run's whole log; its numbers are checked."""
        chunks = await self.store.read_chunks(run, 1, 10_000)
        lines = [line for chunk in chunks for line in decode(chunk.first_line, chunk.head, chunk.payload)]
        assert [line.number for line in lines] == list(range(1, len(lines) + 1))
        return lines

    def container(self, run: str) -> str:
        """The name of a run's only container."""
        return f"fastflow-{self.instance[:8]}-{run}-1"


def texts(lines: Sequence[Line], stream: str = "stdout") -> list[str]:
    """What was printed on one stream."""
    return [line.text.decode() for line in lines if line.stream == stream]
