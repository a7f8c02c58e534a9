"""Which installation of Fast-Flow a database belongs to."""

from __future__ import annotations

import sql
from sql.database import Database

_queries = sql.load("installation")


async def identity(database: Database) -> str:
    """The installation's id, a UUID: containers and environments carry it as their label."""
    async with database.acquire() as connection:
        return str(await connection.fetchval(_queries.identity))
