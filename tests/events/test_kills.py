"""Backends die at any moment, again and again; the log keeps its word."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from events import run
from events.uuid7 import uuid7
from tests.events.witness import Witness, a_process, compare, print_lines, watch, write

KILLS = 110
WRITERS = 6
LOG_WRITERS = 3
SECONDS_MAX = 60


async def kill(dsn: str, chance: random.Random) -> None:
    connection = await asyncpg.connect(dsn)
    killed = 0
    while killed < KILLS:
        pids = await connection.fetch(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and application_name like 'fastflow%'"
        )
        if pids:
            killed += await connection.fetchval("select pg_terminate_backend($1)", chance.choice(pids)["pid"])
        await asyncio.sleep(chance.uniform(0.02, 0.15))
    await connection.close()


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_doubled_and_no_reader_misses_an_event(dsn: str) -> None:
    chance = random.Random(7)  # noqa: S311
    witness = Witness()
    streams = [run.stream(str(uuid7())) for _ in range(20)]
    async with (
        asyncio.timeout(SECONDS_MAX),
        a_process(dsn) as (_, _, left),
        a_process(dsn) as (_, _, right),
        a_process(dsn) as (database, wake, reader),
    ):
        watching = asyncio.create_task(watch(reader, wake, witness))
        async with asyncio.TaskGroup() as tasks:
            for number in range(WRITERS):
                store = left if number % 2 else right
                tasks.create_task(write(store, streams, witness, random.Random(number)))  # noqa: S311
            for number in range(LOG_WRITERS):
                store = left if number % 2 else right
                tasks.create_task(print_lines(store, f"{number}", witness, random.Random(number)))  # noqa: S311
            await kill(dsn, chance)
            witness.over.set()
        await compare(database, reader, witness)
        assert len(witness.stored) > KILLS
        assert len(witness.lines) == LOG_WRITERS
        watching.cancel()
