"""Builds read models again from the first event, beside the ones that serve meanwhile, and swaps them in."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec
import structlog

import sql
from events.errors import Damaged, NotFound
from projections import PROJECTORS, log_page
from projections.following import AnyProjector, Following
from projections.projector import Projector
from sql.database import Connection, Database
from sql.faults import Fault, fault

R = TypeVar("R", bound=msgspec.Struct)

ROWS_UNWRITTEN_MAX = 2000
"""Changed rows gathered before they are written: most runs are over by then and are written once."""
STATEMENT_SECONDS_MAX = 3600
"""An index over many rows takes its time."""
LOCK_POLL_SECONDS = 0.2
LOCK_SECONDS_MAX = 3600
SWAP_TRIES_MAX = 100
SWAP_PAUSE_SECONDS = 0.1

_log = structlog.get_logger()
_queries = sql.load("projector")
_follower_queries = sql.load("follower")


class RebuildFailed(Damaged):
    """A read model could not be built from the log; the old one goes on serving."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a rebuild."""

    events: int
    """Of the types that these read models handle."""
    failed: Mapping[str, str]
    """Read models that could not be built, and why."""


class Building(Following[R], Generic[R]):
    """A read model on its way through the whole log, into a table of its own."""

    def __init__(self, projector: Projector[R]) -> None:
        super().__init__(projector, 0)
        self._unwritten: dict[str, R] = {}

    async def take(self, connection: Connection, page: log_page.LogPage) -> None:
        """Project a page; raises RebuildFailed."""
        folded = await self.fold(connection, page)
        if folded.poison is not None:
            raise RebuildFailed(str(folded.poison))
        self._unwritten.update(folded.rows)
        self.rows.keep(folded.rows)
        self.position = page.last
        if len(self._unwritten) >= ROWS_UNWRITTEN_MAX:
            await self.write(connection)

    async def write(self, connection: Connection) -> None:
        """Write the rows gathered."""
        await self.rows.save(connection, self._unwritten)
        self._unwritten = {}
        self.rows.trim()


async def ensure_current(database: Database, projectors: Sequence[AnyProjector] = PROJECTORS) -> None:
    """Rebuild the read models that another release made; raises DatabaseAway.

    One that cannot be built stays as it is, and the system page says why.
    """
    wanted = await _outdated(database, projectors)
    if not wanted:
        return
    async with _alone(database, wanted) as connection:
        # another process may have been faster
        rebuilt = await _build(database, connection, await _outdated(database, wanted))
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
        rebuilt = await _build(database, connection, wanted)
    if rebuilt.failed:
        raise RebuildFailed(" ".join(f"{name}: {error}" for name, error in rebuilt.failed.items()))
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


async def _build(database: Database, connection: Connection, projectors: Sequence[AnyProjector]) -> Rebuilt:
    began = time.monotonic()
    buildings = [Building(projector) for projector in projectors]
    failed: dict[str, str] = {}
    for building in buildings:
        await connection.execute(_queries.begin_rebuild, building.name)
    events = await _pass(database, connection, buildings, failed)
    for building in buildings:
        await connection.execute(_queries.index_rebuild, building.name, timeout=STATEMENT_SECONDS_MAX)
    # what happened while the indexes were built
    events += await _pass(database, connection, buildings, failed)
    for building in buildings:
        await _swap(database, connection, building)
    for name in failed:
        await connection.execute(_queries.drop_rebuild, name)
    seconds = round(time.monotonic() - began, 3)
    names = [building.name for building in buildings]
    _log.info("rebuild.done", names=names, events=events, seconds=seconds)
    return Rebuilt(events, failed)


async def _pass(
    database: Database,
    connection: Connection,
    buildings: list[Building[msgspec.Struct]],
    failed: dict[str, str],
) -> int:
    """Read on to the log's present end and write everything; a read model that fails leaves the list."""
    events = 0
    after = min((building.position for building in buildings), default=0)
    types = frozenset[str]().union(*(building.projector.types for building in buildings))
    async with contextlib.aclosing(log_page.read_ahead(database, after, types)) as pages:
        async for page in pages:
            events += len(page.events)
            for building in [*buildings]:
                try:
                    await building.take(connection, page)
                except RebuildFailed as error:
                    failed[building.name] = str(error)
                    buildings.remove(building)
    for building in buildings:
        await building.write(connection)
    return events


async def _swap(database: Database, connection: Connection, building: Building[msgspec.Struct]) -> None:
    """Put the new table in the old one's place, never behind what was shown; retries the locks."""
    for tries in range(1, SWAP_TRIES_MAX + 1):
        locked = False
        try:
            async with connection.transaction():
                await connection.execute(_queries.short_lock_wait)
                await connection.fetchval(_queries.lock_checkpoint, building.name)
                await connection.execute(_queries.close_read_model, building.name)
                locked = True
                await _catch_up(database, connection, building)
                await connection.execute(_queries.swap_rebuild, building.name, timeout=STATEMENT_SECONDS_MAX)
                await connection.execute(
                    _queries.hand_over, building.name, building.projector.version, building.position
                )
        except Exception as error:
            if locked or fault(error, connection) is not Fault.BUSY or tries == SWAP_TRIES_MAX:
                raise
            await asyncio.sleep(SWAP_PAUSE_SECONDS)
        else:
            return


async def _catch_up(database: Database, connection: Connection, building: Building[msgspec.Struct]) -> None:
    """Project what the runner projected since the last pass; it waits for us meanwhile."""
    failed: dict[str, str] = {}
    await _pass(database, connection, [building], failed)
    if failed:
        raise RebuildFailed(failed[building.name])
