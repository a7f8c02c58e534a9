"""A house for each test, on a database that never waits for its disk."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from events.store import EventStore
from events.wake import Wake
from sql.database import Database
from tests.conftest import administer
from tests.fastflow.reactor.house import House


@pytest.fixture
async def dsn(dsn: str) -> str:
    """No test here ends the database server, so none has to wait for its disk."""
    name = urlsplit(dsn).path.removeprefix("/")
    await administer(dsn, f"alter database {name} set synchronous_commit = off")
    return dsn


@pytest.fixture
def house(database: Database, wake: Wake, store: EventStore, tmp_path: Path) -> House:
    return House(database, wake, store, tmp_path)
