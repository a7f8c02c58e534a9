"""A rebuilt read model has the same rows as before, also under load."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings

from events import run
from events.base import Stream
from events.errors import NotFound
from events.run import ContainerExited
from events.store import EventStore
from events.wake import Wake
from projections import PROJECTORS, activity, run_detail, run_list, system_state
from projections.activity import ACTIVITY
from projections.building import RebuildFailed
from projections.following import AnyProjector
from projections.rebuild import ensure_current, rebuild
from projections.runner import Runner
from projections.waiting import reached
from sql.database import Database
from tests.projections.broken import broken, next_release
from tests.projections.conftest import DEADLINE_SECONDS, Project, running
from tests.projections.histories import History, histories
from tests.projections.lives import BEGUN, NAMES, REQUEST, live
from tests.projections.projecting import START
from tests.projections.tables import dump, shape

examples = itertools.count()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories())
async def test_whatever_happened_a_rebuild_leads_to_the_same_tables(
    history: History, database: Database, store: EventStore, project: Project
) -> None:
    example = next(examples)
    versions: dict[Stream, int] = {}
    for stream, event in history:
        own = stream if stream.category == "system" else Stream(stream.category, f"{stream.key}-{example}")
        await store.append(own, [event], expected=None)
        versions[own] = versions.get(own, 0) + 1
    await project()
    before = await dump(database)

    await rebuild(database, *NAMES)

    assert await dump(database) == before


async def test_a_rebuilt_table_has_the_same_columns_indexes_and_settings(
    database: Database, store: EventStore, project: Project
) -> None:
    await live(store, "r1")
    await project()
    before = await shape(database)
    assert any("run_list_pipeline_status" in line for line in before)
    assert any("fillfactor=75" in line for line in before)

    await rebuild(database, *NAMES)

    assert await shape(database) == before


@contextlib.asynccontextmanager
async def load(store: EventStore) -> AsyncIterator[list[str]]:
    """Runs that live and end one after another, in three places, as long as this block."""
    begun: list[str] = []

    async def keep_running() -> None:
        while True:
            run_id = str(uuid.uuid4())
            begun.append(run_id)
            await live(store, run_id)

    tasks = [asyncio.create_task(keep_running()) for _ in range(3)]
    try:
        yield begun
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_rebuild_while_runs_go_on_loses_nothing_and_doubles_nothing(
    database: Database, store: EventStore, project: Project
) -> None:
    shown = 0
    async with load(store) as begun:
        for _ in range(4):
            rebuilding = asyncio.create_task(rebuild(database, *NAMES))
            while not rebuilding.done():
                now = (await activity.since(database, START)).requested
                assert now >= shown, "what was shown once does not disappear"
                shown = now
            assert rebuilding.result() > 0
    await project()

    followed = await dump(database)
    assert len(followed["run_list"]) >= len(begun) - 3
    await rebuild(database, *NAMES)
    assert await dump(database) == followed


async def test_a_rebuild_waits_for_a_long_question_without_keeping_others_from_asking(
    database: Database, store: EventStore, project: Project
) -> None:
    await live(store, "r1")
    await project()
    async with database.acquire() as connection, connection.transaction():
        await connection.fetch("select id from read.run_list")
        rebuilding = asyncio.create_task(rebuild(database, "run_list"))
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await connection.fetchval("select exists (select from pg_locks where not granted)"):
                assert not rebuilding.done()
            assert await run_list.one(database, "r1")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await rebuilding > 0


async def test_a_read_model_of_another_release_is_built_again_at_the_start(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    async with running(Runner(database, wake, PROJECTORS, owner="old")):
        await live(store, "r1")
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)

        newer: tuple[AnyProjector, ...] = tuple(map(next_release, PROJECTORS))
        await asyncio.gather(ensure_current(database, newer), ensure_current(database, newer))
        assert (await run_list.one(database, "r1")).actor == "SYSTEM"

        position = await store.head()
        await live(store, "r2")
        assert not await reached(database, wake, position + 1, 0.3), "the older release leaves it alone"
    async with running(Runner(database, wake, newer, owner="new")):
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)
    assert (await run_list.one(database, "r2")).actor == "SYSTEM"
    async with database.acquire() as connection:
        builds = await connection.fetch("select build from projector")
    assert {row["build"] for row in builds} == {2}, "two processes that start together build once"


async def test_a_new_read_model_on_an_old_log_is_built_at_the_start(
    database: Database, store: EventStore
) -> None:
    await live(store, "r1")

    await ensure_current(database)

    assert (await run_list.one(database, "r1")).status == "SUCCESS"


async def test_a_rebuild_that_meets_a_poisoned_event_leaves_the_old_table(
    database: Database, store: EventStore, project: Project
) -> None:
    await live(store, "r1")
    await project()
    before, like = await dump(database), await shape(database)

    with pytest.raises(RebuildFailed, match=r"activity: .* run\.succeeded at position 4"):
        await rebuild(database, "run_list", "activity", projectors=(run_list.RUN_LIST, broken(ACTIVITY)))

    assert (await dump(database), await shape(database)) == (before, like)


async def test_a_row_the_database_refuses_fails_the_rebuild_of_its_read_model_only(
    database: Database, store: EventStore
) -> None:
    exited = ContainerExited(
        attempt=1, exit_code=2**40, out_of_memory=False, finished_at=START, lines=1, bytes=1
    )
    await store.append(run.stream("r1"), [REQUEST, BEGUN, exited], expected=0)

    await ensure_current(database)

    [stopped] = [model for model in await system_state.read_models(database) if model.error]
    assert (stopped.name, "out of range" in str(stopped.error)) == ("run_list", True)
    assert (await run_detail.one(database, "r1")).exit_code == 2**40


async def test_a_release_that_cannot_build_a_read_model_says_so_and_builds_the_others(
    database: Database, store: EventStore, project: Project
) -> None:
    await live(store, "r1")
    await project()

    await ensure_current(database, (next_release(run_list.RUN_LIST), next_release(broken(ACTIVITY))))

    assert (await run_list.one(database, "r1")).actor == "SYSTEM"
    [error] = [model.error for model in await system_state.read_models(database) if model.error]
    assert "run.succeeded at position 4" in error


async def test_an_unknown_read_model_cannot_be_rebuilt(database: Database) -> None:
    with pytest.raises(NotFound, match=r"There is no read model runs; there are activity, pipeline_list"):
        await rebuild(database, "runs")
