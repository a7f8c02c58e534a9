"""A page waits for its own change, for a bounded time."""

from __future__ import annotations

import asyncio

from events import run
from events.run import RunRequested
from events.store import EventStore
from events.wake import Wake
from projections import PROJECTORS, run_list
from projections.rebuild import ensure_current
from projections.runner import Runner
from projections.waiting import reached
from sql.database import Database
from tests.projections.conftest import DEADLINE_SECONDS, Project, running

REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py")
STOP = "update follower set error = 'it stopped' where name = 'run_detail'"


async def test_what_was_just_asked_for_can_be_read(
    database: Database, store: EventStore, wake: Wake, project: Project
) -> None:
    await project()
    for number in range(20):
        asked = await store.append(run.stream(f"r{number}"), [REQUEST], expected=0)

        assert await reached(database, wake, asked.position, DEADLINE_SECONDS)

        assert (await run_list.one(database, f"r{number}")).status == "PENDING"


async def test_waiting_has_a_limit(database: Database, store: EventStore, wake: Wake) -> None:
    await ensure_current(database)
    asked = await store.append(run.stream("r1"), [REQUEST], expected=0)

    assert not await reached(database, wake, asked.position, 0.05)


async def test_nobody_waits_for_a_read_model_that_stopped(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    asked = await store.append(run.stream("r1"), [REQUEST], expected=0)
    async with database.acquire() as connection:
        await connection.execute(STOP)

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert not await reached(database, wake, asked.position, 10 * DEADLINE_SECONDS)


async def test_a_page_waits_only_for_what_it_shows(database: Database, store: EventStore, wake: Wake) -> None:
    await ensure_current(database)
    asked = await store.append(run.stream("r1"), [REQUEST], expected=0)
    only = tuple(projector for projector in PROJECTORS if projector.name == "run_list")

    async with running(Runner(database, wake, only, owner="test")):
        assert await reached(database, wake, asked.position, DEADLINE_SECONDS, ["run_list"])
        assert not await reached(database, wake, asked.position, 0.05, ["run_list", "run_detail"])
