"""Checks from the database alone that the log keeps its word."""

from __future__ import annotations

import sql
from sql.database import Database

_queries = sql.load("verify")


async def verify(database: Database) -> list[str]:
    """Everything found wrong, one line each; empty when the log is sound. Raises DatabaseAway."""
    problems: list[str] = []
    async with database.acquire() as connection:
        for check, statement in _queries.blocks.items():
            rows = await connection.fetch(statement)
            problems += [f"{check}: {row['problem']}" for row in rows]
    return problems
