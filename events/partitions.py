"""Keeps empty partitions of the log lane ahead of the head, so that no append ever waits for one."""

from __future__ import annotations

import asyncio

import structlog

import sql
from events.errors import Unavailable
from sql.database import Database

STEP_POSITIONS = 1_000_000
AHEAD = 4
CHECK_SECONDS = 10.0

_log = structlog.get_logger()
_queries = sql.load("partitions")


async def keep_ahead(database: Database) -> None:
    """Look every few seconds, until cancelled; an outage is waited out."""
    while True:
        try:
            await add_missing(database)
        except Unavailable as error:
            _log.warning("partitions.waiting", reason=str(error))
        await asyncio.sleep(CHECK_SECONDS)


async def add_missing(database: Database, step: int = STEP_POSITIONS, ahead: int = AHEAD) -> list[str]:
    """Add what is missing now and name it; raises DatabaseAway."""
    added: list[str] = []
    async with database.acquire() as connection:
        while name := await connection.fetchval(_queries.add_log_partition, step, ahead):
            added.append(name)
            _log.info("partitions.added", name=name)
    return added
