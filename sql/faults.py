"""What an error from the database means for the one who asked."""

from __future__ import annotations

import enum
from typing import TypeAlias

import asyncpg
import asyncpg.exceptions
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"


class Fault(enum.Enum):
    """Kinds of errors that are not the statement's own fault."""

    AWAY = "away"
    """The connection is gone, or none could be made: whether the statement took effect is not known."""
    BUSY = "busy"
    """The database gave the statement up (a lock, a time limit): it had no effect and may be tried again."""
    FULL = "full"
    """The disk is full: the statement had no effect."""
    NO_PARTITION = "no partition"
    """A partition has to be added first: the statement had no effect."""


_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.exceptions.StatementCompletionUnknownError,
    OSError,
    TimeoutError,
)
_BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.exceptions.OutOfMemoryError,
)


def fault(error: BaseException, connection: Connection | None = None) -> Fault | None:
    """The kind of an error, or None when the statement itself (or the program) is wrong."""
    if isinstance(error, asyncpg.DiskFullError):
        return Fault.FULL
    if isinstance(error, asyncpg.CheckViolationError) and error.constraint_name is None:
        return Fault.NO_PARTITION
    if isinstance(error, _BUSY):
        return Fault.BUSY
    if isinstance(error, _AWAY):
        return Fault.AWAY
    if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError):
        # asyncpg says the same of a lost connection and of wrong use; only the former closes it
        return Fault.AWAY if connection is None or _lost(connection) else None
    return None


def _lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # the pool has taken it back already
        return True
