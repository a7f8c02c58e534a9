"""Chunks of a log follow each other line by line."""

from __future__ import annotations

import asyncio

import pytest

from events import run
from events.errors import LeaseLost, VersionConflict
from events.lease import Lease
from events.store import EventStore, StoredChunk
from events.verify import verify
from events.wake import Wake
from sql.database import Database
from tests.factory import a_stream, an_event

HEAD = {"attempt": 1, "out": [17, 2]}


async def test_chunks_are_read_back_as_they_were(store: EventStore) -> None:
    first = await store.append_chunk("r", 1, 10, HEAD, b"\0\xff lines")
    second = await store.append_chunk("r", 11, 11, HEAD, b"")
    assert (first.version, second.version) == (10, 11)
    assert second.position > first.position
    assert await store.read_chunks("r", 1, 10) == [
        StoredChunk(first.position, 1, 10, HEAD, b"\0\xff lines"),
        StoredChunk(second.position, 11, 11, HEAD, b""),
    ]
    assert await store.last_line("r") == 11
    assert await store.head() == second.position


async def test_reading_starts_with_the_chunk_that_holds_the_line(store: EventStore) -> None:
    for first in (1, 11, 21, 31):
        await store.append_chunk("r", first, first + 9, HEAD, b"x")
    assert [chunk.first_line for chunk in await store.read_chunks("r", 20, 10)] == [11, 21, 31]
    assert [chunk.first_line for chunk in await store.read_chunks("r", 21, 1)] == [21]
    assert await store.read_chunks("r", 41, 10) == []
    assert await store.read_chunks("nobody", 1, 10) == []
    assert await store.last_line("nobody") == 0


@pytest.mark.parametrize(("first", "last"), [(12, 20), (10, 20), (5, 11), (1, 11)])
async def test_lines_that_do_not_follow_are_a_conflict(store: EventStore, first: int, last: int) -> None:
    await store.append_chunk("r", 1, 10, HEAD, b"x")
    with pytest.raises(VersionConflict, match="log-r is at version 10"):
        await store.append_chunk("r", first, last, HEAD, b"x")
    assert await store.last_line("r") == 10


@pytest.mark.parametrize(("first", "last"), [(0, 5), (-3, -1), (5, 4)])
async def test_what_is_no_range_of_lines_is_a_mistake(store: EventStore, first: int, last: int) -> None:
    with pytest.raises(ValueError, match="are not a chunk"):
        await store.append_chunk("r", first, last, HEAD, b"x")


async def test_a_log_starts_with_line_1(store: EventStore) -> None:
    with pytest.raises(VersionConflict):
        await store.append_chunk("r", 2, 3, HEAD, b"x")
    assert await store.read_chunks("r", 1, 10) == []


@pytest.mark.parametrize(("first", "last"), [(1, 10), (3, 7), (11, 20), (1, 20)])
async def test_lines_that_are_there_already_are_a_duplicate(store: EventStore, first: int, last: int) -> None:
    await store.append_chunk("r", 1, 10, HEAD, b"x")
    await store.append_chunk("r", 11, 20, HEAD, b"y")
    again = await store.append_chunk("r", first, last, HEAD, b"z")
    assert again.duplicate
    assert again.version == 20
    assert [chunk.payload for chunk in await store.read_chunks("r", 1, 10)] == [b"x", b"y"]


async def test_chunks_of_many_logs_at_once_keep_the_order_of_each(
    store: EventStore, database: Database
) -> None:
    async def record(name: str) -> None:
        await asyncio.gather(
            *[store.append_chunk(name, first, first + 4, HEAD, name.encode()) for first in range(1, 200, 5)]
        )

    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(record(f"r{number}"))
    for number in range(20):
        chunks = await store.read_chunks(f"r{number}", 1, 1000)
        assert [chunk.last_line for chunk in chunks] == list(range(5, 201, 5))
        assert {chunk.payload for chunk in chunks} == {f"r{number}".encode()}
    assert await verify(database) == []


async def test_a_chunk_after_a_refused_one_is_refused_too(store: EventStore) -> None:
    outcomes = await asyncio.gather(
        store.append_chunk("r", 1, 5, HEAD, b"x"),
        store.append_chunk("r", 7, 9, HEAD, b"x"),
        store.append_chunk("r", 10, 12, HEAD, b"x"),
        store.append_chunk("s", 1, 3, HEAD, b"x"),
        store.append_chunk("r", 6, 6, HEAD, b"x"),
        return_exceptions=True,
    )
    assert [isinstance(outcome, VersionConflict) for outcome in outcomes] == [False, True, True, False, True]
    assert await store.last_line("r") == 5
    await store.append_chunk("r", 6, 6, HEAD, b"x")


async def test_two_recorders_of_one_log_never_store_a_line_twice(
    store: EventStore, wake: Wake, database: Database
) -> None:
    async def record(each: EventStore) -> int:
        stored = 0
        while (last := await each.last_line("r")) < 200:
            try:
                appended = await each.append_chunk("r", last + 1, last + 7, HEAD, b"x")
            except VersionConflict:
                continue
            stored += not appended.duplicate
        return stored

    async with EventStore(database, wake) as other:
        counts = await asyncio.gather(record(store), record(other))
    chunks = await store.read_chunks("r", 1, 1000)
    assert len(chunks) == sum(counts)
    assert await verify(database) == []


async def test_a_recorder_whose_lease_was_taken_is_refused(store: EventStore, database: Database) -> None:
    async with Lease(database, "work", "first") as first:
        await store.append_chunk("r", 1, 5, HEAD, b"x", fence=first.fence)
    async with Lease(database, "work", "second") as second:
        with pytest.raises(LeaseLost):
            await store.append_chunk("r", 6, 9, HEAD, b"x", fence=first.fence)
        await store.append_chunk("r", 6, 9, HEAD, b"x", fence=second.fence)


async def test_settling_makes_lines_durable_and_says_how_many_there_are(
    store: EventStore, database: Database
) -> None:
    assert await store.settle_log("r") == 0
    await store.append_chunk("r", 1, 5, HEAD, b"x")
    async with database.acquire() as connection:
        before = await connection.fetchval("select pg_current_wal_insert_lsn()")
        assert await store.settle_log("r") == 5
        assert await connection.fetchval("select pg_current_wal_flush_lsn() >= $1::pg_lsn", before)


async def test_lines_and_events_share_one_order_but_followers_read_only_events(store: EventStore) -> None:
    one = await store.append(a_stream(), [an_event()], expected=0)
    two = await store.append_chunk("r", 1, 5, HEAD, b"x")
    three = await store.append(a_stream(), [an_event()], expected=0)
    assert (two.position, three.position) == (one.position + 1, one.position + 2)
    assert [recorded.position for recorded in await store.read_control(0)] == [one.position, three.position]


async def test_replay_of_one_log_shows_its_chunks_without_their_bytes(store: EventStore) -> None:
    positions = [(await store.append_chunk("r", n * 5 + 1, n * 5 + 5, HEAD, b"x")).position for n in range(4)]
    await store.append_chunk("s", 1, 5, HEAD, b"x")
    rows = await store.read_raw(positions[0], 2, run.log_stream("r"))
    assert [row.position for row in rows] == positions[1:3]
    assert (rows[0].type, rows[0].stream, rows[0].version) == ("log.chunk", "log-r", 10)
    assert rows[0].data == {"first": 6, **HEAD}


async def test_a_long_log_is_read_through_few_partitions(store: EventStore, database: Database) -> None:
    await store.append_chunk("early", 1, 5, HEAD, b"x")
    async with database.acquire() as connection:
        await connection.execute("select setval('head', 2500000)")
    await store.append_chunk("late", 1, 5, HEAD, b"x")
    await store.append_chunk("late", 6, 9, HEAD, b"x")
    async with database.acquire() as connection:
        used = await connection.fetch(
            "select tableoid::regclass::text, count(*) from event where lane = 1 group by 1 order by 1"
        )
        assert [tuple(row) for row in used] == [
            ("event_log_0000000000000000000", 1),
            ("event_log_0000000000002000000", 2),
        ]
    assert [chunk.last_line for chunk in await store.read_chunks("late", 1, 10)] == [5, 9]
    assert [chunk.last_line for chunk in await store.read_chunks("early", 1, 10)] == [5]
