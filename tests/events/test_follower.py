"""A follower sees every event once, in order, and waits for the next."""

from __future__ import annotations

import asyncio

import pytest

from events.errors import UnknownEvent
from events.follower import Follower
from events.run import AttemptBegun
from events.store import EventStore
from events.wake import Wake
from sql.database import Database
from tests.factory import a_stream, an_event, some_events


async def take(follower: Follower, count: int) -> list[int]:
    """The positions of the next events, at least so many."""
    positions: list[int] = []
    async for batch in follower:
        positions += [recorded.position for recorded in batch]
        if len(positions) >= count:
            return positions
    raise AssertionError


async def test_what_is_there_comes_first_and_then_what_happens(store: EventStore, wake: Wake) -> None:
    await store.append(a_stream(), some_events(25), expected=0)
    follower = Follower(store, wake, 0, page=10)
    assert await take(follower, 25) == list(range(1, 26))
    waiting = asyncio.create_task(take(follower, 1))
    await asyncio.sleep(0)
    appended = await store.append(a_stream(), [an_event()], expected=0)
    assert await waiting == [appended.position]
    assert follower.position == appended.position


async def test_following_starts_after_a_position(store: EventStore, wake: Wake) -> None:
    await store.append(a_stream(), some_events(25), expected=0)
    assert await take(Follower(store, wake, 20), 5) == [21, 22, 23, 24, 25]


async def test_the_position_passes_over_events_of_other_types(store: EventStore, wake: Wake) -> None:
    await store.append(a_stream(), some_events(30), expected=0)
    begun = await store.append(a_stream(), [AttemptBegun(attempt=1, container="c")], expected=0)
    await store.append(a_stream(), some_events(5), expected=0)
    follower = Follower(store, wake, 0, types=frozenset({"run.attempt_begun"}), page=10)
    sizes = []
    async for batch in follower:
        sizes.append((len(batch), follower.position))
        if follower.position == begun.position + 5:
            break
    assert sizes == [(0, 10), (0, 20), (0, 30), (1, 36)]


async def test_no_event_is_missed_while_many_append(
    store: EventStore, wake: Wake, database: Database
) -> None:
    async def write(each: EventStore) -> None:
        stream = a_stream()
        for _ in range(100):
            await each.append(stream, some_events(2), expected=None)

    following = asyncio.create_task(take(Follower(store, wake, 0, page=7), 2400))
    async with EventStore(database, wake) as other, asyncio.TaskGroup() as tasks:
        for number in range(12):
            tasks.create_task(write(other if number % 2 else store))
    assert await following == list(range(1, 2401))


async def test_an_outage_is_waited_out(store: EventStore, wake: Wake, database: Database) -> None:
    follower = Follower(store, wake, 0, page=1)
    await store.append(a_stream(), some_events(20), expected=0)
    seen = []
    async for batch in follower:
        seen += [recorded.position for recorded in batch]
        if len(seen) in {5, 10}:
            own = await database.connect()
            await own.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            await own.close()
        if len(seen) == 20:
            break
    assert seen == list(range(1, 21))


async def test_an_event_of_a_newer_version_stops_the_follower(
    store: EventStore, wake: Wake, database: Database
) -> None:
    await store.append(a_stream(), some_events(2), expected=0)
    async with database.acquire() as connection, connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        await connection.execute("update event set schema_v = 99 where position = 2")
    follower = Follower(store, wake, 0, page=1)
    with pytest.raises(UnknownEvent, match=r"version 99 of run\.progressed"):
        await take(follower, 2)
    assert follower.position == 1
