"""Projection happens exactly once, whatever breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random

import msgspec
import pytest

from events import pipeline, run
from events.pipeline import PipelineGone
from events.run import Progressed, RunFailed
from events.store import EventStore
from events.wake import EVERYTHING, Wake
from projections import PROJECTORS, activity, run_list
from projections.activity import ACTIVITY
from projections.following import AnyProjector
from projections.rebuild import ensure_current
from projections.runner import LEASE, Runner
from projections.waiting import reached
from sql.database import Database
from tests.projections.broken import DIE_AT_COMMIT, copy
from tests.projections.conftest import DEADLINE_SECONDS, Project, running
from tests.projections.lives import BEGUN, REQUEST, append, live, same_as_rebuilt, settled, until_stopped
from tests.projections.projecting import START

END_POOLED_BACKENDS = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name = 'fastflow'
"""


async def test_a_crash_between_the_writes_and_the_commit_projects_nothing_twice(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    async with database.acquire() as connection:
        await connection.execute(DIE_AT_COMMIT)
    await asyncio.gather(*(live(store, f"r{number}") for number in range(20)))

    async with running(Runner(database, wake, PROJECTORS, owner="test")):
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)

    async with database.acquire() as connection:
        assert await connection.fetchval("select last_value from public.commits") > 3
    assert (await activity.since(database, START)).succeeded == 20
    await same_as_rebuilt(database)


async def test_backends_that_die_at_any_moment_project_nothing_twice(
    dsn: str, database: Database, store: EventStore, project: Project
) -> None:
    killer = await Database.open(dsn)
    async with killer.acquire() as connection:
        for number in range(15):
            runs = asyncio.gather(*(live(store, f"r{number}-{place}") for place in range(10)))
            await asyncio.wait({runs}, timeout=random.uniform(0, 0.05))  # noqa: S311
            assert await connection.fetchval(END_POOLED_BACKENDS) > 0
            await runs
            await settled(project)
    await killer.close()

    assert (await activity.since(database, START)).succeeded == 150
    await same_as_rebuilt(database)


async def test_two_runners_at_once_project_nothing_twice(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    never = asyncio.Event()
    both = [
        asyncio.create_task(Runner(database, wake, PROJECTORS, owner=owner)._follow(never))
        for owner in ("one", "two")
    ]

    await asyncio.gather(*(live(store, f"r{number}") for number in range(100)))

    assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)
    for task in both:
        assert not task.done()
        task.cancel()
    await asyncio.wait(both)
    assert (await activity.since(database, START)).succeeded == 100
    await same_as_rebuilt(database)


async def test_a_second_runner_waits_and_takes_over(
    database: Database, store: EventStore, wake: Wake
) -> None:
    async def owner() -> str:
        async with database.acquire() as connection:
            return str(await connection.fetchval("select owner from lease where name = $1", LEASE))

    await ensure_current(database)
    async with contextlib.AsyncExitStack() as second:
        async with running(Runner(database, wake, PROJECTORS, owner="one")):
            assert await reached(
                database, wake, await append(store, run.stream("r1"), REQUEST), DEADLINE_SECONDS
            )
            await second.enter_async_context(running(Runner(database, wake, PROJECTORS, owner="two")))
            assert await reached(
                database, wake, await append(store, run.stream("r2"), REQUEST), DEADLINE_SECONDS
            )
            assert await owner() == "one"
        assert await reached(database, wake, await append(store, run.stream("r3"), REQUEST), DEADLINE_SECONDS)
        assert await owner() == "two"


async def test_a_read_model_far_behind_catches_up_beside_the_others(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    await asyncio.gather(*(live(store, f"r{number}") for number in range(300)))
    others = tuple(projector for projector in PROJECTORS if projector is not ACTIVITY)
    async with running(Runner(database, wake, others, owner="others")):
        names = [projector.name for projector in others]
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS, names)

    async with running(Runner(database, wake, PROJECTORS, owner="all")):
        await live(store, "late")
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)
    await same_as_rebuilt(database)


@pytest.mark.parametrize("held", [1, 1000])
async def test_rows_that_left_memory_are_read_back(
    held: int, database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    few: list[AnyProjector] = [copy(projector, projector.version) for projector in PROJECTORS]
    for projector in few:
        projector.rows_held_max = held
    async with running(Runner(database, wake, few, owner="test")):
        await asyncio.gather(*(live(store, f"r{number}") for number in range(30)))
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)

    assert (await activity.since(database, START)).succeeded == 30
    await same_as_rebuilt(database)


async def test_what_went_stale_is_said_when_it_can_be_read(
    database: Database, store: EventStore, wake: Wake, project: Project
) -> None:
    await append(store, run.stream("r0"), REQUEST)
    await project()
    said: list[frozenset[str]] = []
    wake.on_stale(said.append)

    failed = RunFailed(attempt=0, reason="pipeline_missing")
    await append(store, run.stream("r1"), REQUEST, failed)
    await project()
    await append(store, pipeline.stream("sales"), PipelineGone())
    await until_stopped(database, wake, "pipeline_list")

    topics = frozenset[str]().union(*said)
    assert topics == {"runs", "run-r1", "pipeline-sales", "system"}


async def test_pages_are_told_to_read_everything_again_when_an_answer_was_lost(
    database: Database, store: EventStore, wake: Wake, project: Project
) -> None:
    await append(store, run.stream("r0"), REQUEST)
    await project()
    said: list[frozenset[str]] = []
    wake.on_stale(said.append)
    async with database.acquire() as connection:
        await connection.execute(DIE_AT_COMMIT)

    await append(store, run.stream("r1"), REQUEST)
    await settled(project)

    assert frozenset({EVERYTHING}) in said


async def test_a_run_with_a_long_tail_of_progress_is_one_row_of_the_last_value(
    database: Database, store: EventStore, project: Project
) -> None:
    await append(store, run.stream("r1"), REQUEST, BEGUN)
    for done in range(0, 500, 50):
        await append(store, run.stream("r1"), *(Progressed(attempt=1, done=done + n) for n in range(50)))
    await project()

    row = await run_list.one(database, "r1")
    assert row == msgspec.structs.replace(row, progress_done=499.0, last_position=502)
