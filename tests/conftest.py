"""What the tests stand on: a real PostgreSQL, and one fresh database per test."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import pathlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from events.store import EventStore
from events.wake import Wake
from sql.database import Database
from sql.migrate import migrate

TEST_SECONDS_MAX, SLOW_TEST_SECONDS_MAX = 60, 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        if "postgres" in item.fixturenames:
            item.add_marker(pytest.mark.postgres)
        if inspect.iscoroutinefunction(item.obj):
            slow = item.get_closest_marker("slow") is not None
            item.obj = ending(item.obj, SLOW_TEST_SECONDS_MAX if slow else TEST_SECONDS_MAX)


def ending(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """The same test, which fails instead of waiting for ever."""

    @functools.wraps(test)
    async def within(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return within


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a server for tests: TEST_DATABASE_URL, or the embedded one in a temporary folder."""
    dsn = os.environ.get("TEST_DATABASE_URL")
    if dsn:
        yield dsn
        return
    from sql.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(pathlib.Path(tmp_path_factory.mktemp("postgres")))
    try:
        dsn = await server.start()
        # making a database per test is mostly waiting for the disk
        await administer(dsn, "alter system set fsync = off")
        await administer(dsn, "select pg_reload_conf()")
        yield dsn
    finally:
        await server.remove()


@pytest.fixture(scope="session")
async def template(postgres: str) -> AsyncIterator[str]:
    """The name of a migrated database that each test gets a copy of."""
    name = f"fastflow_test_{uuid.uuid4().hex[:12]}_template"
    await administer(postgres, f"create database {name}")
    await migrate(database_dsn(postgres, name))
    yield name
    await administer(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def empty_dsn(postgres: str) -> AsyncIterator[str]:
    """A database of the test's own, without any schema."""
    name = f"fastflow_test_{uuid.uuid4().hex[:12]}"
    await administer(postgres, f"create database {name}")
    yield database_dsn(postgres, name)
    await administer(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def dsn(postgres: str, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    name = f"fastflow_test_{uuid.uuid4().hex[:12]}"
    await administer(postgres, f"create database {name} template {template}")
    yield database_dsn(postgres, name)
    await administer(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    opened = await Database.open(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def wake(database: Database) -> AsyncIterator[Wake]:
    async with Wake(database) as running:
        yield running


@pytest.fixture
async def store(database: Database, wake: Wake) -> AsyncIterator[EventStore]:
    async with EventStore(database, wake) as running:
        yield running


def database_dsn(server: str, name: str) -> str:
    """The address of another database of the same server."""
    from urllib.parse import urlsplit

    return urlsplit(server)._replace(path=f"/{name}").geturl()


async def administer(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server, command_timeout=30)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
