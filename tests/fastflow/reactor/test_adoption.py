"""A worker that starts goes on where the last one left: whatever it finds, nothing is done twice."""

from __future__ import annotations

import asyncio

import pytest

from events import run as runs
from events.run import ContainerStarted, RunCancelled, RunFailed, RunSucceeded, StopSignalled
from fastflow.domain.run import BeginAttempt, RecordFailure
from fastflow.domain.run_rules import RUN
from fastflow.engine import Job, Observed
from tests.fastflow.reactor.house import House, texts


async def begun(house: House, **env: str) -> str:
    """A run taken from the queue by a worker that died right afterwards."""
    run = await house.request(env)
    await house.commands.handle(RUN, runs.stream(run), BeginAttempt(1, house.container(run)))
    return run


async def created(house: House, run: str, **env: str) -> Observed:
    """Its container, also created before the death."""
    labels = {"fastflow-instance": house.instance, "fastflow-run-id": run, "fastflow-attempt": "1"}
    labels["fastflow-pipeline"] = "sales"
    return await house.engine.create(Job(house.container(run), "image", ("python3",), env, labels))


async def test_a_run_that_had_no_container_yet_gets_one(house: House) -> None:
    run = await begun(house, DOUBLE_LINES="2")
    async with house.working():
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert len(await house.lines(run)) == 2


async def test_a_created_container_is_started(house: House) -> None:
    run = await begun(house)
    await created(house, run, DOUBLE_LINES="2")
    async with house.working():
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert house.engine.created == house.engine.starts == [house.container(run)]


@pytest.mark.parametrize("ends_meanwhile", [False, True], ids=["still runs", "has ended"])
async def test_a_started_container_is_adopted(house: House, *, ends_meanwhile: bool) -> None:
    run = await begun(house)
    name = house.container(run)
    await created(house, run, DOUBLE_LINES="3", DOUBLE_HOLD="1", DOUBLE_EXIT_CODE="5")
    await house.engine.start(name)
    if ends_meanwhile:
        house.engine.release(name)
    async with house.working():
        await house.until(run, ContainerStarted)
        if not ends_meanwhile:
            house.engine.release(name)
        assert await house.ended(run) == RunFailed(attempt=1, reason="exit_code", exit_code=5)
    assert len(await house.lines(run)) == 3
    assert house.engine.starts == [name]


async def test_a_running_container_keeps_its_log_without_a_hole(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="3")
        name = house.container(run)
        await house.until(run, ContainerStarted)
        async with asyncio.timeout(20):
            while len(await house.lines(run)) < 3:
                await house.wake.beyond(house.wake.head, 0.1)
    house.engine.write(name, b"meanwhile\n")
    async with house.working():
        house.engine.write(name, b"afterwards\n")
        house.engine.release(name)
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert texts(await house.lines(run)) == ["line 1", "line 2", "line 3", "meanwhile", "afterwards"]
    assert (await house.kinds(run)).count("container_started") == 1


async def test_a_container_that_disappeared_is_lost_and_its_gap_declared(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_LINES="3")
        await house.until(run, ContainerStarted)
    house.engine.vanish(house.container(run))
    async with house.working():
        end = await house.ended(run)
    assert end == RunFailed(attempt=1, reason="lost", detail="its container disappeared from the engine")
    assert (await house.kinds(run)).count("log_gap_declared") == 1
    assert house.engine.created == [house.container(run)]


async def test_a_run_cancelled_while_nobody_worked_is_stopped(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
    await house.cancel(run)
    async with house.working():
        assert await house.ended(run) == RunCancelled(attempt=1, by="ana", exit_code=143)


async def test_a_run_cancelled_before_its_container_was_created_gets_none(house: House) -> None:
    run = await begun(house)
    await house.cancel(run)
    async with house.working():
        assert await house.ended(run) == RunCancelled(attempt=1, by="ana")
    assert house.engine.created == []


async def test_a_deadline_that_passed_while_nobody_worked_is_kept(house: House) -> None:
    async with house.working():
        run = await house.request(timeout_seconds=0.2, DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
    async with house.working():
        assert await house.ended(run) == RunFailed(attempt=1, reason="timeout", exit_code=143)


async def test_a_stop_goes_on_with_the_grace_that_is_left(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_IGNORE_TERM="1", stop_grace_seconds=0.3)
        await house.until(run, ContainerStarted)
        await house.cancel(run)
        await house.until(run, StopSignalled)
    async with house.working():
        assert await house.ended(run) == RunCancelled(attempt=1, by="ana", exit_code=137)
    signals = [r for r in await house.history(run) if isinstance(r.event, StopSignalled)]
    assert [r.event.signal for r in signals if isinstance(r.event, StopSignalled)] == ["TERM", "KILL"]
    assert (signals[1].at - signals[0].at).total_seconds() >= 0.25


async def test_a_run_that_is_over_has_its_container_removed(house: House) -> None:
    run = await begun(house)
    await created(house, run, DOUBLE_HOLD="1")
    await house.engine.start(house.container(run))
    failed = RecordFailure(1, "engine_error", "the worker died here")
    await house.commands.handle(RUN, runs.stream(run), failed)
    async with house.working():
        await house.ended(run)
    assert house.engine.containers == {}


async def test_a_zombie_of_a_finished_run_is_removed(house: House) -> None:
    async with house.working():
        run = await house.request()
        await house.ended(run)
        await created(house, run, DOUBLE_HOLD="1")
        await house.engine.start(house.container(run))
        async with asyncio.timeout(20):
            while house.engine.containers:
                await house.wake.beyond_control(house.wake.control, 0.05)


async def test_a_container_of_an_unknown_run_is_removed_after_a_while(house: House) -> None:
    unknown = await house.request()
    labels = {"fastflow-instance": house.instance, "fastflow-run-id": "unknown", "fastflow-attempt": "1"}
    await house.engine.create(Job("unknown-1", "image", ("python3",), {}, labels))
    other = {**labels, "fastflow-instance": "another-installation"}
    await house.engine.create(Job("others-1", "image", ("python3",), {}, other))
    async with house.working():
        await house.ended(unknown)
        async with asyncio.timeout(20):
            while "unknown-1" in house.engine.containers:
                await house.wake.beyond_control(house.wake.control, 0.05)
    assert list(house.engine.containers) == ["others-1"]


async def test_a_worker_reads_on_from_its_checkpoint(house: House) -> None:
    async with house.working():
        for _ in range(3):
            await house.ended(await house.request())
        held = await house.request(DOUBLE_HOLD="1")
        await house.until(held, ContainerStarted)
    async with house.database.acquire() as connection:
        rows = await connection.fetch("select run, phase from open_run")
    assert [(row["run"], row["phase"]) for row in rows] == [(held, "active")]
    async with house.working():
        house.engine.release(house.container(held))
        await house.ended(held)
    async with house.database.acquire() as connection:
        assert await connection.fetch("select run from open_run") == []
