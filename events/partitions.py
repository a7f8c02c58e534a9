"""Keeps empty partitions of the log lane ahead of the head, so that no append ever waits for one."""

from __future__ import annotations

import asyncio

import structlog

import sql
from events.errors import Unavailable
from sql.database import Connection, Database

STEP_POSITIONS = 1_000_000
AHEAD = 4
CHECK_SECONDS = 10.0

_log = structlog.get_logger()
_queries = sql.load("partitions")


async def keep_ahead(database: Database) -> None:
    """Look every few seconds, until cancelled; an outage is waited out."""
    while True:
        try:
            async with database.acquire() as connection:
                await add_missing(connection)
        except Unavailable as error:
            _log.warning("partitions.waiting", reason=str(error))
        await asyncio.sleep(CHECK_SECONDS)


async def add_missing(connection: Connection) -> list[str]:
    """Add what is missing now and name it."""
    added: list[str] = []
    while name := await connection.fetchval(_queries.add_log_partition, STEP_POSITIONS, AHEAD):
        added.append(name)
        _log.info("partitions.added", name=name)
    return added
