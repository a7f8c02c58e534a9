"""How far each follower has come, kept in the database."""

from __future__ import annotations

import time

import sql
from events.signal import came
from events.wake import Wake
from sql.database import Connection, Database

RECHECK_SECONDS = 0.1

_queries = sql.load("follower")


async def load(database: Database, name: str) -> int:
    """A follower's checkpoint; a new follower starts at 0. Raises DatabaseAway."""
    async with database.acquire() as connection:
        await connection.execute(_queries.open, name)
        return int(await connection.fetchval(_queries.position, name))


async def advance(connection: Connection, name: str, from_: int, to: int) -> bool:
    """Move a checkpoint in the caller's transaction; False: it is elsewhere, so roll back."""
    return await connection.fetchval(_queries.advance, name, from_, to) is not None


async def fail(database: Database, name: str, error: str) -> None:
    """Write down why a follower stopped; its next advance clears it. Raises DatabaseAway."""
    async with database.acquire() as connection:
        await connection.execute(_queries.fail, name, error.replace("\0", "\N{REPLACEMENT CHARACTER}"))


async def wait_for(database: Database, wake: Wake, name: str, position: int, timeout: float) -> bool:  # noqa: ASYNC109
    """Whether a follower reached a position in time; raises DatabaseAway."""
    deadline = time.monotonic() + timeout
    while True:
        changed = wake.went_stale.next()
        async with database.acquire() as connection:
            reached = await connection.fetchval(_queries.position, name)
        if reached is not None and reached >= position:
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        await came(changed, min(left, RECHECK_SECONDS))
