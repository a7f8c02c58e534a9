"""What tests do with an embedded PostgreSQL from outside: use it, kill it, run another program on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg

from sql import embedded_postmaster
from sql.embedded import EmbeddedPostgres
from sql.embedded_place import Place

DEADLINE_SECONDS = 60.0

PROGRAM = """
import asyncio, sys
from pathlib import Path
from sql.embedded import EmbeddedPostgres

async def main():
    print(await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def program(
    folder: Path, python: str = sys.executable, **options: Any
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Another Fast-Flow on the same folder; ends by kill -9."""
    process = await asyncio.create_subprocess_exec(
        *(python, "-c", PROGRAM, str(folder)), stdout=asyncio.subprocess.PIPE, **options
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = await process.stdout.readline()
        yield process, line.decode().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def write_a_row(dsn: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute("create table kept (word text)")
        await connection.execute("insert into kept values ('here')")


async def rows(dsn: str) -> list[str]:
    async with connected(dsn) as connection:
        return [row["word"] for row in await connection.fetch("select word from kept")]


def place(embedded: EmbeddedPostgres) -> Place:
    assert embedded._place is not None
    return embedded._place


def server(embedded: EmbeddedPostgres) -> int:
    found = embedded_postmaster.running(place(embedded))
    assert found is not None
    return found.pid


def die(embedded: EmbeddedPostgres) -> EmbeddedPostgres:
    """What a kill -9 of the program leaves: the server runs, the lock is free; and the next program."""
    assert embedded._lock is not None
    os.close(embedded._lock)
    embedded._lock = None
    return EmbeddedPostgres(embedded.folder)
