"""Short lives of runs, and what the tests of runner and rebuild wait for and compare."""

from __future__ import annotations

import asyncio
import contextlib

from events import run
from events.base import Event, Stream
from events.errors import DatabaseAway
from events.run import AttemptBegun, Progressed, RunRequested, RunSucceeded
from events.store import EventStore
from events.wake import Wake
from projections import PROJECTORS, system_state
from projections.rebuild import rebuild
from sql.database import Database
from tests.projections.conftest import DEADLINE_SECONDS, Project
from tests.projections.tables import dump

NAMES = tuple(projector.name for projector in PROJECTORS)
REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py")
BEGUN = AttemptBegun(attempt=1, container="c")


async def append(store: EventStore, stream: Stream, *events: Event) -> int:
    return (await store.append(stream, events, expected=None)).position


async def live(store: EventStore, run_id: str) -> None:
    for event in (REQUEST, BEGUN, Progressed(attempt=1, done=1), RunSucceeded(attempt=1)):
        await append(store, run.stream(run_id), event)


async def stopped(database: Database) -> dict[str, str]:
    """What stopped which read models."""
    return {model.name: model.error for model in await system_state.read_models(database) if model.error}


async def until_stopped(database: Database, wake: Wake, *names: str) -> dict[str, str]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (found := await stopped(database)).keys() != set(names):
            await asyncio.wait_for(wake.went_stale.next().wait(), DEADLINE_SECONDS)
    return found


async def settled(project: Project) -> None:
    """Wait for the read models, whatever happens to the connection that asks."""
    while True:
        with contextlib.suppress(DatabaseAway):
            return await project()


async def same_as_rebuilt(database: Database) -> None:
    followed = await dump(database)
    await rebuild(database, *NAMES)
    assert await dump(database) == followed
