"""Parts of the world go away and come back; runs wait, nothing is lost, it recovers by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from events import system
from events.base import Event
from events.run import ContainerStarted, LogGapDeclared, RunCancelled, RunFailed, RunSucceeded
from events.system import EngineConnected, EngineLost
from tests.conftest import administer
from tests.fastflow.reactor.house import DEADLINE_SECONDS, House, texts


async def until(house: House, true: Callable[[list[Event]], bool]) -> list[Event]:
    """Wait until what the log says of the engine is as wanted."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            position = house.wake.control
            told = [recorded.event for recorded in await house.store.read_stream(system.ENGINE)]
            if true(told):
                return told
            await house.wake.beyond_control(position, 0.5)


def lost(told: list[Event]) -> bool:
    return bool(told) and isinstance(told[-1], EngineLost)


def connected(told: list[Event]) -> bool:
    return bool(told) and isinstance(told[-1], EngineConnected) and told[-1].image_digest is not None


async def test_without_an_engine_runs_wait_in_the_queue(house: House) -> None:
    house.engine.go_away()
    async with house.working():
        run = await house.request()
        await until(house, lost)
        assert await house.kinds(run) == ["requested"]
        house.engine.come_back()
        assert await house.ended(run) == RunSucceeded(attempt=1)
        told = await until(house, connected)
    assert [type(event) for event in told] == [EngineLost, EngineConnected]


async def test_without_the_image_runs_wait_until_it_is_there(house: House) -> None:
    image = house.settings.worker_base_image
    house.engine.missing_images.add(image)
    async with house.working():
        run = await house.request()
        told = await until(house, bool)
        assert isinstance(told[0], EngineConnected)
        assert told[0].image_digest is None
        assert await house.kinds(run) == ["requested"]
        house.engine.missing_images.discard(image)
        assert await house.ended(run) == RunSucceeded(attempt=1)
        await until(house, connected)


async def test_an_engine_away_concludes_nothing_about_a_running_container(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="2")
        name = house.container(run)
        await house.until(run, ContainerStarted)
        house.engine.go_away()
        await until(house, lost)
        assert "failed" not in await house.kinds(run)
        house.engine.write(name, b"during the outage\n")
        house.engine.come_back()
        await until(house, connected)
        gap = await house.until(run, LogGapDeclared)
        house.engine.write(name, b"after it\n")
        house.engine.release(name)
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert isinstance(gap, LogGapDeclared)
    assert gap.cause == "engine_restarted"
    assert texts(await house.lines(run)) == ["line 1", "line 2", "during the outage", "after it"]
    assert house.engine.starts == [name]


async def test_a_broken_connection_alone_is_no_outage_and_no_gap(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="2")
        name = house.container(run)
        await house.until(run, ContainerStarted)
        house.engine.cut()
        house.engine.write(name, b"after\n")
        house.engine.release(name)
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert "log_gap_declared" not in await house.kinds(run)
    assert texts(await house.lines(run)) == ["line 1", "line 2", "after"]
    assert not any(isinstance(event, EngineLost) for event in await until(house, connected))


async def test_an_engine_that_ends_a_script_by_its_own_restart_is_told_apart(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
        house.engine.go_away()
        house.engine.restart()
        await until(house, lost)
        house.engine.come_back()
        assert await house.ended(run) == RunFailed(attempt=1, reason="engine_restarted", exit_code=143)
    assert "log_gap_declared" in await house.kinds(run)


async def test_an_engine_that_ends_a_script_just_before_it_goes_away_is_told_apart(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
        house.engine.restart()
        house.engine.go_away()
        await until(house, lost)
        house.engine.come_back()
        assert await house.ended(run) == RunFailed(attempt=1, reason="engine_restarted", exit_code=143)


async def test_a_script_killed_from_outside_is_killed(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
        await house.engine.signal(house.container(run), "KILL")
        assert await house.ended(run) == RunFailed(attempt=1, reason="killed", exit_code=137)


async def test_a_cancel_during_an_outage_is_carried_out_after_it(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
        house.engine.go_away()
        await house.cancel(run)
        await until(house, lost)
        house.engine.come_back()
        assert await house.ended(run) == RunCancelled(attempt=1, by="ana", exit_code=143)


async def test_a_container_removed_by_hand_is_lost(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="2")
        await house.until(run, ContainerStarted)
        house.engine.vanish(house.container(run))
        end = await house.ended(run)
    assert isinstance(end, RunFailed)
    assert end.reason == "lost"
    assert (await house.kinds(run)).count("log_gap_declared") == 1


async def test_database_sessions_that_die_cost_nothing(house: House, postgres: str) -> None:
    async with house.working():
        runs = [await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="20") for _ in range(3)]
        for run in runs:
            await house.until(run, ContainerStarted)
        for _ in range(5):
            await end_sessions(house, postgres)
            for run in runs:
                house.engine.write(house.container(run), b"more\n")
        for run in runs:
            house.engine.release(house.container(run))
        for run in runs:
            assert await house.ended(run) == RunSucceeded(attempt=1)
            printed = [f"line {n}" for n in range(1, 21)] + ["more"] * 5
            assert texts(await house.lines(run)) == printed
    assert sorted(house.engine.starts) == sorted(house.container(run) for run in runs)


async def test_a_worker_whose_lease_was_taken_writes_nothing_more_and_begins_anew(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="3")
        name = house.container(run)
        await house.until(run, ContainerStarted)
        async with house.database.acquire() as connection:
            await connection.execute("update lease set epoch = epoch + 1, until = clock_timestamp()")
        house.engine.write(name, b"written by the next\n")
        house.engine.release(name)
        assert await house.ended(run) == RunSucceeded(attempt=1)
        async with house.database.acquire() as connection:
            assert await connection.fetchval("select epoch from lease where name = 'work'") >= 3
    assert texts(await house.lines(run)) == ["line 1", "line 2", "line 3", "written by the next"]
    assert house.engine.starts == [name]


async def end_sessions(house: House, postgres: str) -> None:
    name = house.database.dsn.partition("?")[0].rpartition("/")[2]
    sessions = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"  # noqa: S608
    await administer(postgres, sessions)
