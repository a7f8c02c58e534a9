"""Does the work while it holds the lease: one worker at a time; the next goes on where the last one left."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import structlog

from events.errors import LeaseLost
from events.lease import Lease
from events.store import EventStore
from events.wake import Wake
from fastflow.commands import Commands
from fastflow.engine import Engine
from fastflow.engine.environments import Environments
from fastflow.reactor.patience import Backoff, Patience
from fastflow.reactor.shift import Shift
from fastflow.reactor.watch import EngineWatch
from fastflow.reactor.world import World, tell_engine
from fastflow.settings import Settings
from sql.database import Database

LEASE = "work"

_log = structlog.get_logger()


class Worker:
    """Made by the composition root; `run` until `stop`, which leaves every container running."""

    def __init__(
        self,
        *,
        store: EventStore,
        commands: Commands,
        database: Database,
        wake: Wake,
        engine: Engine,
        environments: Environments,
        snapshots: Path,
        settings: Settings,
        instance: str,
        owner: str,
        patience: Patience | None = None,
    ) -> None:
        """`instance` names this installation, `owner` this process."""
        self.patience = patience or Patience()
        self._store = store
        self._commands = commands
        self._database = database
        self._wake = wake
        self._engine = engine
        self._environments = environments
        self._snapshots = snapshots
        self._settings = settings
        self._instance = instance
        self._owner = owner
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Work whenever the lease is ours, until told to stop."""
        self._ended.clear()
        try:
            async with asyncio.TaskGroup() as group:
                working = group.create_task(self._work(), name="work")
                await self._stopping.wait()
                working.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Detach: store what was taken, give back the lease, let the containers run."""
        self._stopping.set()
        await self._ended.wait()

    async def _work(self) -> None:
        backoff, clock = Backoff(self.patience), asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                async with Lease(self._database, LEASE, self._owner, self.patience.lease_seconds) as lease:
                    began = clock()
                    await Shift(self._world(lease), self._database, self._wake, lease).run()
            except LeaseLost:
                _log.warning("work.lease_lost", owner=self._owner)
            except Exception:  # noqa: BLE001 - containers run on; the next shift adopts them
                _log.exception("work.interrupted", owner=self._owner)
            if clock() - began > self.patience.retry_seconds_max:
                backoff.reset()
            await backoff.pause()

    def _world(self, lease: Lease) -> World:
        fence, patience, image = lease.fence, self.patience, self._settings.worker_base_image
        tell = partial(tell_engine, self._commands, fence)
        return World(
            store=self._store,
            commands=self._commands,
            engine=self._engine,
            environments=self._environments,
            watch=EngineWatch(self._engine, image, tell, patience),
            snapshots=self._snapshots,
            settings=self._settings,
            instance=self._instance,
            fence=fence,
            patience=patience,
        )
