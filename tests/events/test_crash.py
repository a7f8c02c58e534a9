"""The whole server crashes and recovers; what was said to be durable is still there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator

import pytest

from events import run
from events.errors import Unavailable
from events.uuid7 import uuid7
from sql.database import Database
from sql.embedded import EmbeddedPostgres
from sql.migrate import migrate
from tests.events.witness import Witness, a_process, compare, print_lines, watch, write
from tests.sql.conftest import reachable_folder

CRASHES = 4
APPENDS_BETWEEN = 60
SECONDS_MAX = 120


@pytest.fixture
async def own_dsn() -> AsyncIterator[str]:
    """A server that may crash without disturbing anybody."""
    with reachable_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        try:
            dsn = await server.start()
            await migrate(dsn)
            yield dsn
        finally:
            await server.remove()


async def crash(database: Database) -> None:
    """Kill a backend the hard way: the server ends all others and recovers from its log."""
    while True:
        with contextlib.suppress(Unavailable):
            connection = await database.connect()
            break
    os.kill(connection.get_server_pid(), signal.SIGKILL)
    connection.terminate()


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_crashed_server_keeps_its_word(own_dsn: str) -> None:
    witness = Witness()
    streams = [run.stream(str(uuid7())) for _ in range(5)]
    async with (
        asyncio.timeout(SECONDS_MAX),
        a_process(own_dsn) as (_, _, writer),
        a_process(own_dsn) as (database, wake, reader),
    ):
        watching = asyncio.create_task(watch(reader, wake, witness))
        async with asyncio.TaskGroup() as tasks:
            for number in range(3):
                chance = random.Random(number)  # noqa: S311
                tasks.create_task(write(writer, streams, witness, chance))
                tasks.create_task(print_lines(writer, f"{number}", witness, chance))
            for crashes in range(1, CRASHES + 1):
                while len(witness.stored) < crashes * APPENDS_BETWEEN:
                    await witness.saw.next().wait()
                await crash(database)
            witness.over.set()
        await compare(database, reader, witness)
        assert len(witness.lines) == 3
        watching.cancel()
