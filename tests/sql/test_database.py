"""What goes wrong with a connection, and what is made of it."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from sql.database import Database
from sql.errors import DatabaseAway, StorageFull
from tests.proxy import Proxy

RAISE_DISK_FULL = "do $$ begin raise exception 'no space left' using errcode = 'disk_full'; end $$"


async def test_every_connection_sees_both_schemas_and_is_bounded(database: Database) -> None:
    own = await database.connect()
    async with database.acquire() as pooled:
        for connection in (pooled, own):
            assert await connection.fetchval("show search_path") == "read, fastflow"
            assert await connection.fetchval("show statement_timeout") == "15s"
            assert await connection.fetchval("show lock_timeout") == "5s"
            assert await connection.fetchval("show idle_in_transaction_session_timeout") == "10s"
    await own.close()


async def test_a_dedicated_connection_may_differ(database: Database) -> None:
    own = await database.connect(search_path="read_next, fastflow", synchronous_commit="off")
    assert await own.fetchval("show search_path") == "read_next, fastflow"
    assert await own.fetchval("show synchronous_commit") == "off"
    await own.close()


async def test_a_lost_connection_is_an_outage_that_ends_with_the_next_answer(database: Database) -> None:
    with pytest.raises(DatabaseAway):
        async with database.acquire() as connection:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert database.outage is not None
    assert database.outage.kind == "away"
    async with database.acquire() as connection:
        assert await connection.fetchval("select 1") == 1
    assert database.outage is None


async def test_an_outage_began_with_its_first_failure(dsn: str) -> None:
    async with Proxy(dsn) as proxy:
        database = await Database.open(proxy.dsn)
        proxy.cut()
        since = set()
        for _ in range(3):
            with pytest.raises(DatabaseAway):
                async with database.acquire() as connection:
                    await connection.fetchval("select 1")
            assert database.outage is not None
            since.add(database.outage.since)
        assert len(since) == 1
        proxy.mend()
        async with database.acquire() as connection:
            await connection.fetchval("select 1")
        assert database.outage is None
        await database.close()


async def test_a_full_disk_is_an_outage_that_reading_does_not_end(database: Database) -> None:
    with pytest.raises(StorageFull, match="no space left"):
        async with database.acquire() as connection:
            await connection.execute(RAISE_DISK_FULL)
    async with database.acquire() as connection:
        await connection.fetchval("select 1")
    assert database.outage is not None
    assert database.outage.kind == "full"
    database.stored()
    assert database.outage is None


@pytest.mark.parametrize(
    ("statement", "arguments", "error"),
    [
        ("select 1 / 0", (), asyncpg.DivisionByZeroError),
        ("select $1::integer", ("three",), asyncpg.DataError),
        ("select $1::integer", (), asyncpg.InterfaceError),
        ("select nonsense", (), asyncpg.UndefinedColumnError),
    ],
)
async def test_our_own_mistakes_are_not_called_outages(
    database: Database, statement: str, arguments: tuple[object, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with database.acquire() as connection:
            await connection.fetchval(statement, *arguments)
    assert database.outage is None


async def test_a_statement_that_takes_too_long_is_given_up(database: Database) -> None:
    with pytest.raises(DatabaseAway, match="statement timeout"):
        async with database.acquire() as connection:
            await connection.execute("set statement_timeout = '20ms'; select pg_sleep(10)")


async def test_a_server_that_hangs_is_given_up_too(dsn: str) -> None:
    async with Proxy(dsn) as proxy, asyncio.timeout(5):
        database = await Database.open(proxy.dsn)
        async with database.acquire() as connection:
            await connection.fetchval("select 1")
        proxy.freeze()
        with pytest.raises(DatabaseAway):
            async with database.acquire() as connection:
                await connection.fetchval("select 1", timeout=0.1)
        proxy.mend()
        async with database.acquire() as connection:
            assert await connection.fetchval("select 1") == 1
        await database.close()


async def test_a_cancelled_asker_leaves_no_transaction_behind(database: Database) -> None:
    entered = asyncio.Event()

    async def ask() -> None:
        async with database.acquire() as connection, connection.transaction():
            await connection.execute("create table public.trace (number integer)")
            entered.set()
            await connection.execute("select pg_sleep(10)")

    asking = asyncio.create_task(ask())
    await entered.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with database.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select to_regclass('public.trace')") is None


async def test_the_pool_is_bounded_and_waits_its_turn(dsn: str) -> None:
    database = await Database.open(dsn, connections_max=2)

    async def ask(number: int) -> int:
        async with database.acquire() as connection:
            return int(await connection.fetchval("select $1::integer from pg_sleep(0.005)", number))

    assert await asyncio.gather(*[ask(number) for number in range(20)]) == list(range(20))
    own = await database.connect()
    used = (
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    assert await own.fetchval(used) <= 2
    await own.close()
    await database.close()


async def test_opening_a_database_that_is_not_there_says_so(tmp_path: object) -> None:
    with pytest.raises(DatabaseAway):
        await Database.open(f"postgresql:///postgres?host={tmp_path}&user=postgres")
