"""There is always a place for the next lines."""

from __future__ import annotations

import asyncio
import itertools

from events import partitions
from events.store import EventStore
from sql.database import Database
from tests.waiting import until

SPANS = """
select class.relname as name, pg_get_expr(class.relpartbound, class.oid) as span
from pg_inherits
join pg_class as class on class.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'event_log'::regclass
order by class.relname
"""


async def names(database: Database) -> list[str]:
    async with database.acquire() as connection:
        return [row["name"] for row in await connection.fetch(SPANS)]


async def move_head(database: Database, position: int) -> None:
    async with database.acquire() as connection:
        await connection.execute(f"select setval('head', {position})")


async def test_a_new_database_has_room_ahead(database: Database) -> None:
    assert len(await names(database)) == 5
    async with database.acquire() as connection:
        assert await partitions.add_missing(connection) == []


async def test_partitions_are_added_before_they_are_needed(database: Database, store: EventStore) -> None:
    await move_head(database, 1_000_000)
    async with database.acquire() as connection:
        assert await partitions.add_missing(connection) == ["event_log_0000000000005000000"]
        assert await partitions.add_missing(connection) == []
    await move_head(database, 5_999_999)
    await store.append_chunk("r", 1, 5, {}, b"x")
    assert len(await store.read_chunks("r", 1, 5)) == 1


async def test_what_lies_far_below_the_head_gets_no_partition(database: Database) -> None:
    await move_head(database, 77_400_000)
    async with database.acquire() as connection:
        added = await partitions.add_missing(connection)
    assert added == [f"event_log_{million:013d}000000" for million in range(77, 82)]


async def test_processes_add_them_side_by_side(database: Database) -> None:
    await move_head(database, 9_000_000)

    async def add() -> list[str]:
        async with database.acquire() as connection:
            return await partitions.add_missing(connection)

    added = itertools.chain.from_iterable(await asyncio.gather(*[add() for _ in range(5)]))
    assert sorted(added) == [f"event_log_{million:013d}000000" for million in range(9, 14)]


async def test_adding_one_does_not_wait_for_readers_nor_stop_writers(
    database: Database, store: EventStore
) -> None:
    await store.append_chunk("r", 1, 5, {}, b"x")
    reader = await database.connect()
    async with reader.transaction():
        await reader.fetch("select count(*) from event")
        await move_head(database, 2_000_000)
        async with database.acquire() as connection:
            assert len(await partitions.add_missing(connection)) == 2
        await store.append_chunk("r", 6, 9, {}, b"x")
    await reader.close()


async def test_one_can_be_dropped_and_the_rest_goes_on(database: Database, store: EventStore) -> None:
    await store.append_chunk("old", 1, 5, {}, b"x")
    await move_head(database, 1_500_000)
    await store.append_chunk("new", 1, 5, {}, b"x")
    async with database.acquire() as connection:
        await connection.execute("alter table event_log detach partition event_log_0000000000000000000")
        await connection.execute("drop table event_log_0000000000000000000")
    assert await store.read_chunks("old", 1, 10) == []
    assert len(await store.read_chunks("new", 1, 10)) == 1
    assert await store.head() == 1_500_001


async def test_the_loop_keeps_them_ahead(database: Database) -> None:
    await move_head(database, 3_000_000)
    keeping = asyncio.create_task(partitions.keep_ahead(database))

    async def ahead() -> bool:
        return len(await names(database)) == 8

    await until(ahead)
    keeping.cancel()
