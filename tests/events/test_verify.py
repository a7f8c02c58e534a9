"""Damage to the log is found and named."""

from __future__ import annotations

import pytest

from events import checkpoint
from events.store import EventStore
from events.verify import problems, verify
from sql.database import Connection, Database
from tests.factory import a_stream, some_events

DAMAGE = [
    ("delete from event where lane = 0 and version = 2", "versions: stream 1 has version 3 at position 3"),
    ("delete from event where lane = 0 and version = 1", "versions: stream 1 has version 2 at position 2"),
    ("delete from event where lane = 0 and version = 3", "streams: stream run-"),
    ("update event set position = 100 where position = 1", "versions: stream 1 has version 2 at position 2"),
    (
        "update event set position = 100 where position = 15",
        "head: the head is 15 but an event has position 100",
    ),
    ("delete from event where lane = 1 and version = 10", "lines: log r has lines 11 to 15"),
    (
        "update event set data = '{\"first\": 5}' where lane = 1 and version = 10",
        "lines: log r has lines 5 to 10",
    ),
    (
        "update event set data = '{\"first\": 2}' where lane = 1 and version = 5",
        "lines: log r has lines 2 to 5",
    ),
    ("update stream set version = 4 where stream_id = 4", "streams: stream run-"),
    ("update stream set last_position = 4 where stream_id = 4", "streams: stream run-"),
    ("delete from stream where stream_id = 4", "streams: stream -"),
    (
        "update follower set position = 16",
        "followers: follower projector is at position 16, beyond the head 15",
    ),
    ("delete from installation", "installation: the table installation has 0 rows"),
]


async def change(connection: Connection, statement: str) -> None:
    """What only somebody with the database's own rights can do."""
    await connection.execute("set local session_replication_role = replica")
    await connection.execute(statement)


@pytest.fixture
async def sound(store: EventStore, database: Database) -> Database:
    """A log with a bit of everything."""
    for _ in range(3):
        await store.append(a_stream(), some_events(3), expected=0)
    for name in ("r", "s"):
        for first in (1, 6, 11):
            await store.append_chunk(name, first, first + 4, {}, b"x")
    await checkpoint.load(database, "projector")
    async with database.acquire() as connection:
        assert await checkpoint.advance(connection, "projector", 0, 9)
    return database


async def test_a_sound_log_has_no_problems(sound: Database) -> None:
    assert await verify(sound) == []


async def test_an_empty_log_has_no_problems(database: Database) -> None:
    assert await verify(database) == []


async def test_damage_is_found_and_named(sound: Database) -> None:
    async with sound.acquire() as connection:
        for statement, problem in DAMAGE:
            transaction = connection.transaction()
            await transaction.start()
            await change(connection, statement)
            found = await problems(connection)
            await transaction.rollback()
            assert any(each.startswith(problem) for each in found), (statement, found)
        assert await problems(connection) == []


async def test_a_dropped_partition_is_no_damage(sound: Database, store: EventStore) -> None:
    async with sound.acquire() as connection:
        await connection.execute("select setval('head', 1500000)")
    await store.append_chunk("r", 16, 20, {}, b"x")
    async with sound.acquire() as connection:
        await connection.execute("drop table event_log_0000000000000000000")
    assert await verify(sound) == []
