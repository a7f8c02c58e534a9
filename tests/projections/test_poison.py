"""A projector that cannot go on stops where everybody sees it; the others go on."""

from __future__ import annotations

from events import run
from events.run import ContainerExited
from events.store import EventStore
from events.wake import Wake
from projections import PROJECTORS, activity, run_list, system_state
from projections.activity import ACTIVITY
from projections.rebuild import ensure_current
from projections.run_list import RUN_LIST
from projections.runner import Runner
from projections.waiting import reached
from sql.database import Database
from tests.projections.broken import broken
from tests.projections.conftest import DEADLINE_SECONDS, Project, running
from tests.projections.lives import BEGUN, NAMES, REQUEST, append, live, same_as_rebuilt, until_stopped
from tests.projections.projecting import START

APPEND_UNKNOWN_VERSION = """
    select status from append(
        '{run}', '{r1}', '{1}', '{"{}"}', '{null}', '{null}', '{1}', '{run.attempt_begun}', '{99}',
        array[gen_random_uuid()], '{"{}"}'
    )
"""


async def test_a_poisoned_event_stops_one_read_model_and_a_mended_release_goes_on_from_there(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    others = tuple(projector for projector in PROJECTORS if projector is not ACTIVITY)
    async with running(Runner(database, wake, (*others, broken(ACTIVITY)), owner="broken")):
        await live(store, "r1")
        await live(store, "r2")
        error = await until_stopped(database, wake, "activity")
        names = [projector.name for projector in others]
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS, names)

    assert error["activity"].startswith(
        "The event run.succeeded at position 4 could not be projected: ZeroDivisionError"
    )
    assert (await activity.since(database, START)).requested == 1, "what came before it is kept"
    async with database.acquire() as connection:
        position = await connection.fetchval("select position from follower where name = 'activity'")
    assert position == 3

    async with running(Runner(database, wake, PROJECTORS, owner="mended")):
        assert await until_stopped(database, wake) == {}
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS)
    assert (await activity.since(database, START)).succeeded == 2
    await same_as_rebuilt(database)


async def test_a_stopped_read_model_keeps_since_when_over_a_restart(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    since = []
    await live(store, "r1")
    for _ in range(2):
        async with running(Runner(database, wake, (RUN_LIST, broken(ACTIVITY)), owner="broken")):
            await until_stopped(database, wake, "activity")
        since += [model.at for model in await system_state.read_models(database) if model.error]

    assert since[0] == since[1]


async def test_an_event_of_an_unknown_version_stops_those_that_handle_its_type(
    database: Database, store: EventStore, wake: Wake, project: Project
) -> None:
    await project()
    await append(store, run.stream("r1"), REQUEST)
    async with database.acquire() as connection:
        assert await connection.fetchval(APPEND_UNKNOWN_VERSION) == "appended"
    await append(store, run.stream("r2"), REQUEST)

    errors = await until_stopped(database, wake, "run_list", "run_detail")

    assert "does not know version 99 of run.attempt_begun" in errors["run_list"]
    rest = ["activity", "pipeline_list", "system_state"]
    assert await reached(database, wake, await store.head(), DEADLINE_SECONDS, rest)
    assert (await activity.since(database, START)).requested == 2
    assert (await run_list.one(database, "r1")).status == "PENDING"


async def test_a_row_the_database_refuses_stops_its_read_model_only(
    database: Database, store: EventStore, wake: Wake, project: Project
) -> None:
    await project()
    exited = ContainerExited(
        attempt=1, exit_code=2**40, out_of_memory=False, finished_at=START, lines=1, bytes=1
    )
    await append(store, run.stream("r1"), REQUEST, BEGUN, exited)

    errors = await until_stopped(database, wake, "run_list")

    assert "out of range" in errors["run_list"]
    rest = [name for name in NAMES if name != "run_list"]
    assert await reached(database, wake, await store.head(), DEADLINE_SECONDS, rest)


async def test_a_row_that_cannot_be_read_back_stops_its_read_model_only(
    database: Database, store: EventStore, wake: Wake
) -> None:
    await ensure_current(database)
    async with running(Runner(database, wake, PROJECTORS, owner="one")):
        assert await reached(database, wake, await append(store, run.stream("r1"), REQUEST), DEADLINE_SECONDS)
    async with database.acquire() as connection:
        await connection.execute("""update run_detail set detail = '{"id": 1}'""")

    async with running(Runner(database, wake, PROJECTORS, owner="two")):
        await append(store, run.stream("r1"), BEGUN)
        errors = await until_stopped(database, wake, "run_detail")
        rest = [name for name in NAMES if name != "run_detail"]
        assert await reached(database, wake, await store.head(), DEADLINE_SECONDS, rest)

    assert "do not fit" in errors["run_detail"]
