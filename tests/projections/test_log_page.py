"""A page of the log holds only what read models handle."""

from __future__ import annotations

import contextlib

from events import run
from events.base import Metadata
from events.run import AttemptBegun, RunRequested, RunSucceeded
from events.store import EventStore
from projections import log_page
from sql.database import Database

REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py", env={"A": 'ä"\\'})
TYPES = frozenset({"run.requested", "run.attempt_begun"})
EVENTS = (REQUEST, AttemptBegun(attempt=1, container="c"), RunSucceeded(attempt=1))


async def test_a_page_has_the_events_as_the_store_reads_them(database: Database, store: EventStore) -> None:
    await store.append(run.stream('r"1'), EVENTS, expected=0, meta=Metadata("ann", "cause"))

    page = await log_page.read(database, 0, TYPES)

    assert list(page.events) == await store.read_control(0, types=sorted(TYPES))
    assert page.events[0].at.tzinfo is not None
    assert page.kinds == {RunRequested, AttemptBegun}
    assert (page.last, page.full) == (3, False)


async def test_a_full_page_says_so(database: Database, store: EventStore) -> None:
    await store.append(run.stream("r1"), EVENTS, expected=0)

    page = await log_page.read(database, 1, TYPES, limit=2)

    assert ([recorded.position for recorded in page.events], page.last, page.full) == ([2], 3, True)


async def test_a_page_beyond_the_end_is_empty(database: Database, store: EventStore) -> None:
    await store.append(run.stream("r1"), EVENTS, expected=0)

    page = await log_page.read(database, 3, TYPES)

    assert (page.events, page.last, page.full) == ((), 3, False)


async def test_pages_read_ahead_come_in_order_to_the_end(database: Database, store: EventStore) -> None:
    for number in range(3):
        await store.append(run.stream(f"r{number}"), [EVENTS[1]] * log_page.PAGE_EVENTS_AHEAD, expected=0)

    pages = [page async for page in log_page.read_ahead(database, 0, TYPES)]

    positions = [recorded.position for page in pages for recorded in page.events]
    assert positions == list(range(1, 3 * log_page.PAGE_EVENTS_AHEAD + 1))
    assert [page.full for page in pages] == [True, True, True, False]


async def test_reading_ahead_may_end_early(database: Database, store: EventStore) -> None:
    await store.append(run.stream("r1"), [EVENTS[1]] * log_page.PAGE_EVENTS_AHEAD * 2, expected=0)

    async with contextlib.aclosing(log_page.read_ahead(database, 0, TYPES)) as pages:
        first = await anext(pages)

    assert first.last == log_page.PAGE_EVENTS_AHEAD
    assert (await log_page.read(database, first.last, TYPES)).full
