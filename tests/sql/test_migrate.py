"""Migrations are applied once, in order, or not at all."""

from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from sql.database import Database
from sql.errors import DatabaseAway, MigrationRefused
from sql.migrate import Migration, migrate, migrations

FIRST = Migration(1, "first", "create table public.first (number integer);")
SECOND = Migration(2, "second", "alter table public.first add column name text;")


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


async def test_each_migration_is_applied_once(empty_dsn: str) -> None:
    assert await migrate(empty_dsn, [FIRST]) == ["0001_first"]
    assert await migrate(empty_dsn, [FIRST, SECOND]) == ["0002_second"]
    assert await migrate(empty_dsn, [FIRST, SECOND]) == []


async def test_processes_that_start_together_apply_each_migration_once(empty_dsn: str) -> None:
    applied = await asyncio.gather(*[migrate(empty_dsn, [FIRST, SECOND]) for _ in range(4)])
    assert sorted(applied) == [[], [], [], ["0001_first", "0002_second"]]


async def test_a_migration_that_fails_leaves_nothing_behind(empty_dsn: str) -> None:
    broken = Migration(1, "broken", "create table public.half (number integer); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_dsn, [broken])
    assert await tables(empty_dsn) == set()
    assert await migrate(empty_dsn, [FIRST]) == ["0001_first"]


async def test_an_edited_migration_is_refused(empty_dsn: str) -> None:
    await migrate(empty_dsn, [FIRST])
    edited = dataclasses.replace(FIRST, text=FIRST.text + " -- better")
    with pytest.raises(MigrationRefused, match=r"Migration 0001_first was applied with another text"):
        await migrate(empty_dsn, [edited, SECOND])
    assert await migrate(empty_dsn, [FIRST, SECOND]) == ["0002_second"]


async def test_a_newer_database_is_refused(empty_dsn: str) -> None:
    await migrate(empty_dsn, [FIRST, SECOND])
    with pytest.raises(MigrationRefused, match=r"migration 0002_second, which this one does not know"):
        await migrate(empty_dsn, [FIRST])


async def test_a_migration_gives_up_its_place_in_the_queue_for_a_lock_and_tries_again(empty_dsn: str) -> None:
    await migrate(empty_dsn, [FIRST])
    holder = await asyncpg.connect(empty_dsn)
    async with asyncio.timeout(30):
        async with holder.transaction():
            await holder.execute("lock table public.first in access share mode")
            migrating = asyncio.create_task(migrate(empty_dsn, [FIRST, SECOND]))
            watcher = await asyncpg.connect(empty_dsn)
            waits: set[object] = set()
            while len(waits) < 2:
                waits |= set(
                    await watcher.fetch(
                        "select xact_start from pg_stat_activity"
                        " where datname = current_database() and wait_event_type = 'Lock'"
                    )
                )
            assert not migrating.done()
        assert await migrating == ["0002_second"]
    await watcher.close()
    await holder.close()


async def test_an_unreachable_database_is_said_to_be_away(tmp_path: object) -> None:
    with pytest.raises(DatabaseAway):
        await migrate(f"postgresql:///postgres?host={tmp_path}&user=postgres")


async def test_the_shipped_migrations_are_numbered_once_and_their_database_opens(dsn: str) -> None:
    numbers = [migration.number for migration in migrations()]
    assert numbers == sorted(set(numbers))
    assert await migrate(dsn) == []
    database = await Database.open(dsn)
    assert database.outage is None
    await database.close()
