"""Connections to PostgreSQL, and what is wrong with it when something is."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import asyncpg

from sql.errors import DatabaseAway, StorageFull, Unavailable
from sql.faults import Connection, Fault, fault

__all__ = ["Connection", "Database", "Fault", "Outage"]

STATEMENT_SECONDS_MAX = 15
COMMAND_SECONDS_MAX = 20
"""Longer than the server's own limit: it only ends waiting for a server that hangs."""
CONNECT_SECONDS_MAX = 10
ACQUIRE_SECONDS_MAX = 10
CLOSE_SECONDS_MAX = 5

SETTINGS = {
    "application_name": "fastflow",
    "search_path": "read, fastflow",
    "timezone": "UTC",
    "jit": "off",
    "lock_timeout": "5s",
    "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Outage:
    """What is wrong with the database."""

    kind: Literal["away", "full"]
    since: dt.datetime
    detail: str
    """The database's or the operating system's own words."""


class Database:
    """A pool for short questions, dedicated connections for loops, and the present outage, if any."""

    def __init__(self, dsn: str, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.dsn = dsn
        self.outage: Outage | None = None
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, *, connections_max: int = 8) -> Database:
        """Make sure that the database answers; raises DatabaseAway."""
        pool = asyncpg.create_pool(
            dsn,
            # none is kept open by the pool itself: it logs a traceback for each it cannot restore
            min_size=0,
            max_size=connections_max,
            reset=_keep,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=COMMAND_SECONDS_MAX,
            max_cached_statement_lifetime=0,
            server_settings=SETTINGS,
        )
        await pool
        database = cls(dsn, pool)
        connection = await database.connect()
        await connection.close()
        return database

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a pooled connection; raises DatabaseAway and StorageFull for errors inside the block too."""
        with self.translating():
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX)
        try:
            with self.translating(connection):
                yield connection
        except (Unavailable, asyncio.CancelledError):
            # the server may hang, and with it the polite way to give a connection back
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise
        finally:
            with self.translating():
                await self._pool.release(connection)
        self.answered()

    async def connect(
        self,
        *,
        search_path: str | None = None,
        synchronous_commit: str | None = None,
        application_name: str | None = None,
    ) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of one's own, to be closed by its owner; raises DatabaseAway."""
        wanted = {
            "search_path": search_path,
            "synchronous_commit": synchronous_commit,
            "application_name": application_name,
        }
        settings = SETTINGS | {name: value for name, value in wanted.items() if value is not None}
        try:
            connection = await asyncpg.connect(
                self.dsn,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=COMMAND_SECONDS_MAX,
                max_cached_statement_lifetime=0,
                server_settings=settings,
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            self._note("away", error)
            raise DatabaseAway(_words(error)) from error
        self.answered()
        return connection

    async def close(self) -> None:
        """Give back every pooled connection."""
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS_MAX)
        except TimeoutError:
            self._pool.terminate()

    @contextlib.contextmanager
    def translating(self, connection: Connection | None = None) -> Iterator[None]:
        """Raise DatabaseAway or StorageFull where the block shows that the database is."""
        try:
            yield
        except Exception as error:
            failure = self.failure(error, connection)
            if failure is None:
                raise
            raise failure from error

    def failure(self, error: BaseException, connection: Connection | None = None) -> Unavailable | None:
        """What an error of a statement means to its asker; remembers the outage it shows."""
        match fault(error, connection):
            case Fault.AWAY:
                self._note("away", error)
                return DatabaseAway(_words(error))
            case Fault.BUSY:
                return DatabaseAway(_words(error))
            case Fault.FULL:
                self._note("full", error)
                return StorageFull(_words(error))
            case Fault.NO_PARTITION | None:
                return None

    def answered(self) -> None:
        """The database did something for us: it is not away."""
        if self.outage is not None and self.outage.kind == "away":
            self.outage = None

    def stored(self) -> None:
        """The database wrote something new: nothing is wrong with it."""
        self.outage = None

    def _note(self, kind: Literal["away", "full"], error: BaseException) -> None:
        since = dt.datetime.now(dt.UTC)
        if self.outage is not None and self.outage.kind == kind:
            since = self.outage.since
        self.outage = Outage(kind, since, _words(error))


async def _keep(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing to reset between uses: nobody changes a pooled session (and the reset costs a round trip)."""


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
