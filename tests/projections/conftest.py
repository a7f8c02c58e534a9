"""Read models that are brought up to the log's end on demand, by the real runner."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from events.store import EventStore
from events.wake import Wake
from projections import PROJECTORS
from projections.rebuild import ensure_current
from projections.runner import Runner
from projections.waiting import reached
from sql.database import Database

DEADLINE_SECONDS = 20

Project: TypeAlias = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def running(runner: Runner) -> AsyncIterator[None]:
    """A runner at work as long as this block."""
    task = asyncio.create_task(runner.run())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def project(database: Database, store: EventStore, wake: Wake) -> AsyncIterator[Project]:
    """Waits until every read model has reached the log's end."""
    await ensure_current(database)

    async def to_the_end() -> None:
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)

    async with running(Runner(database, wake, PROJECTORS, owner="test")):
        yield to_the_end
