"""One holder at a time, and the one before it can write no more."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import time
from collections.abc import AsyncIterator

import pytest

import sql
from events.errors import LeaseLost
from events.lease import Lease
from events.store import EventStore
from sql.database import Database
from tests.factory import SOMEBODY_WAITS_FOR_ITS_TURN, a_stream, an_event
from tests.proxy import Proxy
from tests.waiting import until

NAME = "work"
QUICK_SECONDS = 2.0
"""Well below the time to live in these tests."""


@contextlib.asynccontextmanager
async def through(proxy: Proxy) -> AsyncIterator[Database]:
    database = await Database.open(proxy.dsn)
    yield database
    await database.close()


async def held(database: Database) -> tuple[str, int, dt.timedelta]:
    """Owner, epoch and time left, by the database's clock."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            "select owner, epoch, until - clock_timestamp() from lease where name = $1", NAME
        )
    assert row is not None
    return tuple(row)


async def test_each_holder_has_a_higher_epoch(database: Database) -> None:
    for epoch in range(1, 4):
        async with Lease(database, NAME, f"owner-{epoch}") as lease:
            assert lease.fence.epoch == epoch
            assert lease.fence.lease == NAME
            owner, stored, left = await held(database)
            assert (owner, stored) == (f"owner-{epoch}", epoch)
            assert dt.timedelta(seconds=8) < left <= dt.timedelta(seconds=10)


async def test_different_leases_do_not_hinder_each_other(database: Database) -> None:
    async with Lease(database, "work", "me"), Lease(database, "projectors", "me"):
        pass


async def test_only_one_holds_it_at_a_time_and_the_next_follows_quickly(database: Database) -> None:
    inside = 0
    epochs: list[int] = []

    async def work(owner: str) -> None:
        nonlocal inside
        async with Lease(database, NAME, owner) as lease:
            inside += 1
            assert inside == 1
            epochs.append(lease.epoch)
            await asyncio.sleep(0)
            inside -= 1

    before = time.monotonic()
    await asyncio.gather(*[work(f"{number}") for number in range(5)])
    assert epochs == [1, 2, 3, 4, 5]
    assert time.monotonic() - before < 5 * QUICK_SECONDS


async def test_it_is_renewed_as_long_as_it_is_held(database: Database) -> None:
    async with Lease(database, NAME, "first", ttl_seconds=0.6) as lease:
        for _ in range(3):
            _, _, left = await held(database)
            async with database.acquire() as connection:
                await connection.execute("select pg_sleep($1)", left.total_seconds())
        assert not lease.lost.is_set()
        assert (await held(database))[1] == 1


async def test_the_session_of_a_killed_holder_is_missed_and_its_lease_taken(
    dsn: str, database: Database, store: EventStore
) -> None:
    async with Proxy(dsn) as proxy, through(proxy) as far:
        killed = Lease(far, NAME, "first", ttl_seconds=60)
        await killed.__aenter__()
        fence = killed.fence
        # the end of its process closes its connections, and nobody comes back
        proxy.cut()
        before = time.monotonic()
        async with Lease(database, NAME, "second", ttl_seconds=60) as lease:
            assert time.monotonic() - before < QUICK_SECONDS
            assert lease.epoch == 2
            with pytest.raises(LeaseLost):
                await store.append(a_stream(), [an_event()], expected=0, fence=fence)
        await killed.__aexit__(None, None, None)


async def test_a_frozen_holder_is_replaced_when_its_time_is_over_and_fenced(
    dsn: str, database: Database, store: EventStore
) -> None:
    async with (
        Proxy(dsn) as proxy,
        through(proxy) as far,
        Lease(far, NAME, "first", ttl_seconds=1) as frozen,
    ):
        proxy.freeze()
        async with Lease(database, NAME, "second", ttl_seconds=1) as lease:
            # it stopped trusting its lease before anybody else could have it
            assert frozen.lost.is_set()
            assert lease.epoch == 2
            with pytest.raises(LeaseLost):
                await store.append(a_stream(), [an_event()], expected=0, fence=frozen.fence)
            await store.append(a_stream(), [an_event()], expected=0, fence=lease.fence)
            proxy.mend()


async def test_a_holder_that_loses_its_connection_for_a_moment_stays_the_holder(database: Database) -> None:
    async with Lease(database, NAME, "first", ttl_seconds=60) as lease:
        waiting = asyncio.create_task(Lease(database, NAME, "second", ttl_seconds=60).__aenter__())
        for _ in range(3):
            async with database.acquire() as connection:
                pid = await connection.fetchval("select session_pid from lease")
                await connection.execute("select pg_terminate_backend($1)", pid)
                renewed = "select session_pid <> $1 from lease"
                await until(functools.partial(connection.fetchval, renewed, pid))
        assert not lease.lost.is_set()
        assert (await held(database))[:2] == ("first", 1)
    second = await waiting
    assert second.epoch == 2
    await second.__aexit__(None, None, None)


async def test_a_holder_who_learns_that_another_took_over_stops(database: Database) -> None:
    async with Lease(database, NAME, "first", ttl_seconds=0.6) as lease:
        async with database.acquire() as connection:
            await connection.execute("update lease set epoch = 7, owner = 'second'")
        await lease.lost.wait()
    # it gives nothing back that is not its own
    assert (await held(database))[0] == "second"
    assert (await held(database))[2] > dt.timedelta(0)


async def test_a_takeover_waits_for_the_append_that_is_under_way(database: Database) -> None:
    appender = await database.connect()
    async with Lease(database, NAME, "first"):
        pass
    async with appender.transaction():
        await appender.execute("select take_turn()")
        taking = asyncio.create_task(Lease(database, NAME, "second").__aenter__())
        await until(lambda: appender.fetchval(SOMEBODY_WAITS_FOR_ITS_TURN))
        assert (await held(database))[1] == 1
    second = await taking
    assert second.epoch == 2
    await second.__aexit__(None, None, None)
    await appender.close()


async def test_asking_waits_for_a_database_that_is_away(dsn: str) -> None:
    async with Proxy(dsn) as proxy, through(proxy) as far:
        proxy.cut()
        asking = asyncio.create_task(Lease(far, NAME, "first").__aenter__())
        await until(lambda: far.outage)
        proxy.mend()
        lease = await asking
        assert lease.epoch == 1
        await lease.__aexit__(None, None, None)


async def test_giving_up_asking_leaves_nothing_behind(database: Database) -> None:
    async with Lease(database, NAME, "first"):
        asking = asyncio.create_task(Lease(database, NAME, "second").__aenter__())
        own = await database.connect()
        sessions = (
            "select count(*) = $1 from pg_stat_activity"
            " where application_name = 'fastflow lease work' and datname = current_database()"
        )
        await until(lambda: own.fetchval(sessions, 2))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: own.fetchval(sessions, 1))
        await own.close()


async def test_renewing_is_refused_to_an_old_epoch(database: Database) -> None:
    queries = sql.load("lease")
    async with Lease(database, NAME, "first") as lease, database.acquire() as connection:
        ttl = dt.timedelta(seconds=10)
        assert await connection.fetchval(queries.renew, NAME, lease.epoch - 1, ttl) is None
        assert await connection.fetchval(queries.renew, NAME, lease.epoch, ttl) == lease.epoch
