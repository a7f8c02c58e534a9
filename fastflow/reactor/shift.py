"""The work under one lease: runs are taken from the queue and adopted, each with a supervisor of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import TypeAlias

import structlog

from events.errors import LeaseLost, Unavailable
from events.follower import Follower
from events.lease import Lease
from events.run import CancelRequested
from events.signal import came
from events.wake import Wake
from fastflow.domain.run_rules import RUN
from fastflow.engine import EngineAway, Observed
from fastflow.reactor.attempt import Attempt
from fastflow.reactor.job import run_of
from fastflow.reactor.open_runs import TYPES, OpenRuns
from fastflow.reactor.patience import Backoff
from fastflow.reactor.performing import Looked
from fastflow.reactor.preheat import Preheat
from fastflow.reactor.reconciling import compare, fate, forget
from fastflow.reactor.world import World
from sql.database import Database

_log = structlog.get_logger()

Loop: TypeAlias = Callable[[], Awaitable[None]]


class Shift:
    """From the taking of the lease to its loss. A failure of one run stays with its supervisor."""

    def __init__(self, world: World, database: Database, wake: Wake, lease: Lease) -> None:
        self._world = world
        self._database = database
        self._wake = wake
        self._lease = lease
        self._open = OpenRuns()
        self._attempts: dict[str, Attempt] = {}
        self._first_seen: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._look_due = asyncio.Event()
        self._group = asyncio.TaskGroup()

    async def run(self) -> None:
        """Work until cancelled. Raises LeaseLost."""
        try:
            async with self._group as group:
                group.create_task(self._until_lost(), name="lease lost")
                await self._catch_up()
                self._adopt()
                self._changed.set()
                for loop in self._loops():
                    group.create_task(self._steadily(loop), name=loop.__qualname__)
        except BaseExceptionGroup as failures:
            fatal = failures.subgroup(lambda leaf: not isinstance(leaf, Exception))
            if fatal is None and failures.subgroup(LeaseLost) is not None:
                raise LeaseLost from failures
            raise
        finally:
            await self._save_at_the_end()

    def _loops(self) -> list[Loop]:
        loops: list[Loop] = [
            self._world.watch.run,
            self._follow,
            self._begin_waiting,
            self._reconcile,
            self._mind_wakeups,
            self._save_now_and_then,
        ]
        if self._world.settings.uv_pre_heat:
            loops.append(Preheat(self._world, self._database, self._wake).run)
        return loops

    async def _steadily(self, loop: Loop) -> None:
        """A loop that fails unexpectedly is begun again; the others do not notice."""
        backoff = Backoff(self._world.patience)
        while True:
            try:
                await loop()
            except LeaseLost:
                raise
            except Exception:  # noqa: BLE001 - whatever it was, the work goes on
                _log.exception("work.loop_failed", loop=loop.__qualname__)
            await backoff.pause()

    async def _until_lost(self) -> None:
        await self._lease.lost.wait()
        raise LeaseLost

    async def _catch_up(self) -> None:
        """Know every open run, as of now."""
        backoff = Backoff(self._world.patience)
        while True:
            try:
                await self._open.load(self._database)
                while await self._fold_a_page():
                    pass
            except Unavailable as error:
                _log.warning("work.waits_for_database", reason=str(error))
                self._open = OpenRuns()
                await backoff.pause()
            else:
                return

    async def _fold_a_page(self) -> bool:
        before = self._open.position
        page, self._open.position = await self._world.store.read_window(before, 1000, TYPES)
        for recorded in page:
            self._open.see(recorded)
        return self._open.position > before

    def _adopt(self) -> None:
        """Give every open run that has begun a supervisor, which looks for its container first."""
        for run in (*self._open.phases["active"], *self._open.phases["over"]):
            if run not in self._attempts:
                _log.info("run.adopted", run=run)
                self._supervise(run, None)

    def _supervise(self, run: str, looked: Looked | None) -> None:
        attempt = self._attempts[run] = Attempt(self._world, run, looked)
        self._group.create_task(self._see_through(attempt), name=f"run {run}")

    async def _see_through(self, attempt: Attempt) -> None:
        try:
            await attempt.see_through()
        finally:
            self._attempts.pop(attempt.run, None)
            self._changed.set()

    async def _follow(self) -> None:
        follower = Follower(self._world.store, self._wake, self._open.position, TYPES)
        async for batch in follower:
            for recorded in batch:
                self._open.see(recorded)
                self._world.commands.hear(RUN, recorded)
                if isinstance(recorded.event, CancelRequested):
                    attempt = self._attempts.get(recorded.stream.key)
                    if attempt is not None:
                        attempt.notices.order_stop()
            self._open.position = follower.position
            if batch:
                self._changed.set()

    async def _begin_waiting(self) -> None:
        """Fill free slots, oldest run first; without the engine or its image runs stay in the queue."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._world.watch.usable()
            waiting = self._open.phases["waiting"]
            begun = sum(run in waiting for run in self._attempts)
            free = self._world.settings.max_concurrent_runs - len(self._open.phases["active"]) - begun
            next_ones = (run for run in waiting if run not in self._attempts)
            for run in list(islice(next_ones, max(0, free))):
                self._supervise(run, Looked(None))

    async def _reconcile(self) -> None:
        """Look at all containers: for ends that nobody noticed, and for what nobody looks after."""
        while True:
            await came(self._look_due, self._world.patience.reconcile_seconds)
            self._look_due.clear()
            observed = await self._all_containers()
            if observed is None:
                await self._world.watch.answering()
                continue
            found = compare(observed, {run: attempt.container for run, attempt in self._attempts.items()})
            for run in found.hints:
                self._attempts[run].notices.hint()
            self._adopt()
            now = asyncio.get_running_loop().time()
            names = {seen.name for seen in found.strangers}
            self._first_seen = forget(self._first_seen, names)
            for seen in found.strangers:
                await self._judge(seen, now - self._first_seen.setdefault(seen.name, now))
            await self._sweep_environments()

    async def _judge(self, seen: Observed, seconds_known: float) -> None:
        try:
            state = await self._world.state(seen.run)
            if fate(seen, state, seconds_known, self._world.patience.orphan_seconds) == "remove":
                _log.warning("container.removed", container=seen.name, run=seen.run, state=seen.state)
                await self._world.engine.remove(seen.name)
        except Unavailable as error:
            _log.info("container.left", container=seen.name, reason=str(error))

    async def _sweep_environments(self) -> None:
        try:
            await self._world.environments.sweep()
        except EngineAway as error:
            _log.info("environments.not_swept", reason=str(error))

    async def _mind_wakeups(self) -> None:
        """Pass on the engine's hints; after a break some were missed, so all containers are looked at."""
        backoff = Backoff(self._world.patience)
        while True:
            try:
                async for name in self._world.engine.wakeups(self._world.instance):
                    backoff.reset()
                    attempt = self._attempts.get(run_of(name) or "")
                    if attempt is not None:
                        attempt.notices.hint()
            except EngineAway:
                await self._world.watch.answering()
            await backoff.pause()
            self._look_due.set()

    async def _all_containers(self) -> Sequence[Observed] | None:
        """Everything of this installation; None while the engine is away."""
        try:
            return await self._world.engine.observe_all(self._world.instance)
        except EngineAway:
            return None

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._world.patience.checkpoint_seconds)
            try:
                await self._open.save(self._database)
            except Unavailable as error:
                _log.info("work.checkpoint_waits", reason=str(error))

    async def _save_at_the_end(self) -> None:
        """A convenience for the next start, which otherwise reads a little more."""
        try:
            async with asyncio.timeout(self._world.patience.detach_seconds):
                await self._open.save(self._database)
        except (LeaseLost, Unavailable, TimeoutError) as error:
            _log.info("work.checkpoint_left", reason=str(error))
