"""A follower's checkpoint moves with its work, once."""

from __future__ import annotations

import asyncio
import time

from events import checkpoint
from events.wake import Wake
from sql.database import Database


async def move(database: Database, from_: int, to: int) -> bool:
    async with database.acquire() as connection, connection.transaction():
        return await checkpoint.advance(connection, "runs", from_, to)


async def test_a_new_follower_starts_at_the_beginning(database: Database) -> None:
    assert await checkpoint.load(database, "runs") == 0
    assert await move(database, 0, 17)
    assert await checkpoint.load(database, "runs") == 17
    assert await checkpoint.load(database, "pipelines") == 0


async def test_only_one_of_two_who_did_the_same_work_moves_it(database: Database) -> None:
    await checkpoint.load(database, "runs")
    moved = await asyncio.gather(*[move(database, 0, 10 + number) for number in range(5)])
    assert sorted(moved) == [False] * 4 + [True]
    assert not await move(database, 0, 99)


async def test_it_moves_with_the_transaction_or_not_at_all(database: Database) -> None:
    await checkpoint.load(database, "runs")
    async with database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await checkpoint.advance(connection, "runs", 0, 5)
        await transaction.rollback()
    assert await checkpoint.load(database, "runs") == 0


async def test_waiting_ends_when_the_follower_is_there(database: Database, wake: Wake) -> None:
    assert not await checkpoint.wait_for(database, wake, "runs", 5, 0.01)
    await checkpoint.load(database, "runs")
    waiting = asyncio.create_task(checkpoint.wait_for(database, wake, "runs", 5, 10))
    before = time.monotonic()
    for position in (3, 6):
        await move(database, position - 3, position)
        wake.say_stale(["runs"])
    assert await waiting
    assert time.monotonic() - before < 5
    assert await checkpoint.wait_for(database, wake, "runs", 6, 0)
    assert not await checkpoint.wait_for(database, wake, "runs", 7, 0.01)


async def test_why_a_follower_stopped_is_written_down_until_it_goes_on(database: Database) -> None:
    async def error() -> object:
        async with database.acquire() as connection:
            return await connection.fetchval("select error from follower where name = 'runs'")

    await checkpoint.load(database, "runs")
    await checkpoint.fail(database, "runs", "event 7: no such\0pipeline")
    assert await error() == "event 7: no such\ufffdpipeline"
    await move(database, 0, 7)
    assert await error() is None
