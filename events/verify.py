"""Checks from the database alone that the log keeps its word."""

from __future__ import annotations

import sql
from sql.database import Connection, Database

CHECKS = ("installation", "head", "versions", "lines", "streams", "followers")
CHECK_SECONDS_MAX = 600.0

_queries = sql.load("verify")


async def verify(database: Database) -> list[str]:
    """Everything found wrong, one line each; empty when the log is sound. Raises DatabaseAway."""
    async with database.acquire() as connection, connection.transaction():
        await connection.execute(_queries.without_time_limit)
        return await problems(connection)


async def problems(connection: Connection) -> list[str]:
    """The same, as the caller's transaction sees the log."""
    found: list[str] = []
    for check in CHECKS:
        rows = await connection.fetch(_queries.blocks[check], timeout=CHECK_SECONDS_MAX)
        found += [f"{check}: {row['problem']}" for row in rows]
    return found
