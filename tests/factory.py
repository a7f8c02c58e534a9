"""Events and streams for tests that care about the log, not about what happened."""

from __future__ import annotations

import itertools

from events import run
from events.base import Event, Stream
from events.run import Progressed
from events.uuid7 import uuid7

SOMEBODY_WAITS_FOR_ITS_TURN = """
select count(*) > 0
from pg_locks
join pg_database on pg_database.oid = pg_locks.database
where datname = current_database() and locktype = 'advisory' and not granted
"""

_numbers = itertools.count(1)


def a_stream() -> Stream:
    """A stream nobody used before."""
    return run.stream(str(uuid7()))


def an_event(text: str = "") -> Progressed:
    """An event unlike every other."""
    return Progressed(attempt=1, done=next(_numbers), text=text)


def some_events(count: int) -> list[Event]:
    """Events unlike every other."""
    return [an_event() for _ in range(count)]
