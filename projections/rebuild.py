"""Builds read models again from the first event, beside the ones that serve meanwhile, and swaps them in."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

import structlog

import sql
from events.errors import NotFound
from projections import PROJECTORS, log_page
from projections.building import AnyBuilding, Building, RebuildFailed, Writer
from projections.following import AnyProjector
from sql.database import Connection, Database
from sql.faults import Fault, fault

STATEMENT_SECONDS_MAX = 3600
"""An index over many rows takes its time."""
LOCK_POLL_SECONDS = 0.2
LOCK_SECONDS_MAX = 3600
SWAP_TRIES_MAX = 100
SWAP_PAUSE_SECONDS = 0.1
COLLECT_AFTER_OBJECTS = 50_000

_log = structlog.get_logger()
_queries = sql.load("projector")
_follower_queries = sql.load("follower")


@dataclasses.dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a rebuild."""

    events: int
    """Of the types that these read models handle."""
    failed: Mapping[str, str]
    """Read models that could not be built, and why."""


async def ensure_current(database: Database, projectors: Sequence[AnyProjector] = PROJECTORS) -> None:
    """Rebuild the read models that another release made; raises DatabaseAway.

    One that cannot be built stays as it is, and the system page says why.
    """
    wanted = await _outdated(database, projectors)
    if not wanted:
        return
    async with _alone(database, wanted) as connection:
        # another process may have been faster
        rebuilt = await Build(database, connection, await _outdated(database, wanted)).run()
    for name, error in rebuilt.failed.items():
        _log.error("projector.stopped", name=name, reason=error)
        async with database.acquire() as connection:
            await connection.execute(_queries.stop, name, error)


async def rebuild(database: Database, *names: str, projectors: Sequence[AnyProjector] = PROJECTORS) -> int:
    """Build these read models again in one pass over the log and swap them in; how many events that took.

    The present tables serve until then, and the runner may go on writing them. Raises NotFound, DatabaseAway,
    RebuildFailed.
    """
    known = {projector.name: projector for projector in projectors}
    for name in names:
        if name not in known:
            raise NotFound(f"There is no read model {name}; there are {', '.join(sorted(known))}.")
    wanted = [known[name] for name in names]
    await _outdated(database, wanted)
    async with _alone(database, wanted) as connection:
        rebuilt = await Build(database, connection, wanted).run()
    if rebuilt.failed:
        [name, error] = next(iter(rebuilt.failed.items()))
        raise RebuildFailed(name, f"{name}: {error}")
    return rebuilt.events


async def _outdated(database: Database, projectors: Sequence[AnyProjector]) -> list[AnyProjector]:
    async with database.acquire() as connection:
        for projector in projectors:
            await connection.execute(_follower_queries.open, projector.name)
            await connection.execute(_queries.open, projector.name, projector.version)
        states = await connection.fetch(_queries.states, [projector.name for projector in projectors])
    stored = {state["name"]: state["version"] for state in states}
    return [projector for projector in projectors if stored[projector.name] != projector.version]


@contextlib.asynccontextmanager
async def _alone(database: Database, projectors: Sequence[AnyProjector]) -> AsyncIterator[Connection]:
    """A connection that sees the tables beside before the ones that serve.

    It holds a session lock: the session that has the lock is the one that writes, so that they end together.
    """
    names = sorted(projector.name for projector in projectors)
    path = ", ".join([*(f"rebuild_{name}" for name in names), "read", "fastflow"])
    connection = await database.connect(search_path=path, synchronous_commit="off")
    try:
        await connection.execute(_queries.no_time_limit)
        await connection.execute(_queries.no_table_scans)
        async with asyncio.timeout(LOCK_SECONDS_MAX):
            for name in names:
                while not await connection.fetchval(_queries.try_rebuild_lock, name):  # noqa: ASYNC110  a poll
                    await asyncio.sleep(LOCK_POLL_SECONDS)
        yield connection
    except Exception as error:
        raise database.failure(error, connection) or error from error
    finally:
        connection.terminate()


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Events and rows are part of no cycle; to look for cycles among them takes a quarter of the time."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Build:
    """The work on some read models, in one pass over the log for all of them."""

    def __init__(
        self, database: Database, connection: Connection, projectors: Sequence[AnyProjector]
    ) -> None:
        self._database = database
        self._connection = connection
        self._writer = Writer(connection)
        self._buildings = [Building(projector, self._writer) for projector in projectors]
        self._failed: dict[str, str] = {}

    async def run(self) -> Rebuilt:
        """Build them all and swap in those that could be built."""
        if not self._buildings:
            return Rebuilt(0, {})
        began = time.monotonic()
        async with self._writer:
            events = await self._build()
            for building in self._buildings:
                await self._swap(building)
        for name in self._failed:
            await self._connection.execute(_queries.drop_rebuild, name)
        names = [building.name for building in self._buildings]
        seconds = round(time.monotonic() - began, 3)
        _log.info("rebuild.done", names=names, failed=self._failed, events=events, seconds=seconds)
        return Rebuilt(events, self._failed)

    async def _build(self) -> int:
        """Fill the tables beside; the number of events projected."""
        for building in self._buildings:
            await self._connection.execute(_queries.begin_rebuild, building.name)
        with _rare_collections():
            events = await self._read_on(self._buildings)
        for building in self._buildings:
            await self._connection.execute(
                _queries.index_rebuild, building.name, timeout=STATEMENT_SECONDS_MAX
            )
        # what happened while the indexes were built
        return events + await self._read_on(self._buildings)

    async def _read_on(self, buildings: Sequence[AnyBuilding]) -> int:
        """Project up to the log's present end and write everything; the number of events."""
        events = 0
        after = min((building.position for building in buildings), default=0)
        types = frozenset[str]().union(*(building.projector.types for building in buildings))
        async with contextlib.aclosing(log_page.read_ahead(self._database, after, types)) as pages:
            async for page in pages:
                events += len(page.events)
                for building in buildings:
                    await self._do(building, functools.partial(building.take, page))
        for building in buildings:
            await self._do(building, building.write)
            await self._do(building, self._writer.connection)
        return events

    async def _do(self, building: AnyBuilding, work: Callable[[], Awaitable[object]]) -> None:
        """Do a piece of work on a read model unless it failed; one that fails does not keep the others."""
        while building.name not in self._failed:
            try:
                await work()
            except RebuildFailed as error:
                self._failed[error.name] = str(error)
                self._buildings = [each for each in self._buildings if each.name != error.name]
            else:
                return

    async def _swap(self, building: AnyBuilding) -> None:
        """Put the new table in the old one's place, never behind what was shown; retries the locks."""
        for tries in range(1, SWAP_TRIES_MAX + 1):
            locked = False
            try:
                async with self._connection.transaction():
                    await self._connection.execute(_queries.short_lock_wait)
                    await self._connection.fetchval(_queries.lock_checkpoint, building.name)
                    await self._connection.execute(_queries.close_read_model, building.name)
                    locked = True
                    await self._hand_over(building)
            except Exception as error:
                if locked or fault(error, self._connection) is not Fault.BUSY or tries == SWAP_TRIES_MAX:
                    raise
                await asyncio.sleep(SWAP_PAUSE_SECONDS)
            else:
                return

    async def _hand_over(self, building: AnyBuilding) -> None:
        """Catch up with the runner, which waits for us meanwhile, and let the new table serve."""
        await self._read_on([building])
        if building.name in self._failed:
            raise RebuildFailed(building.name, self._failed[building.name])
        await self._connection.execute(_queries.swap_rebuild, building.name, timeout=STATEMENT_SECONDS_MAX)
        version = building.projector.version
        await self._connection.execute(_queries.hand_over, building.name, version, building.position)
