"""A world to discover pipelines in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from events.store import EventStore
from events.wake import Wake
from tests.fastflow.pipelines.world import World


@pytest.fixture
async def world(tmp_path: Path, store: EventStore, wake: Wake) -> World:
    return World(tmp_path, store, wake)


@pytest.fixture
async def watched(world: World) -> AsyncIterator[World]:
    """The same, watched."""
    watching = asyncio.create_task(world.discovery.watch())
    yield world
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
