"""Waiting, for a bounded time, until the read models show what was just asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sql
from events.signal import came
from events.wake import Wake
from projections import PROJECTORS
from sql.database import Database

RECHECK_SECONDS = 0.1

_queries = sql.load("projector")
_NAMES = tuple(projector.name for projector in PROJECTORS)


async def reached(
    database: Database, wake: Wake, position: int, timeout_seconds: float, names: Sequence[str] = _NAMES
) -> bool:
    """Whether read models show everything up to a position, in time; no wait for one that stopped."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        changed = wake.went_stale.next()
        async with database.acquire() as connection:
            found = await connection.fetchrow(_queries.reached, names, position)
        if found is not None and (found["reached"] or found["stopped"]):
            return bool(found["reached"])
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        await came(changed, min(left, RECHECK_SECONDS))
