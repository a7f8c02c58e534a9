"""The worker over the double engine: what a run's life looks like from outside."""

from __future__ import annotations

import asyncio

import pytest

from events.run import (
    AttemptBegun,
    ContainerStarted,
    LogGapDeclared,
    Progressed,
    RunCancelled,
    RunFailed,
    RunSucceeded,
    StepEntered,
    StopSignalled,
)
from events.system import EnvironmentFailed, EnvironmentReady, environment
from fastflow.domain.run import RunAlreadyOver
from fastflow.reactor.setup import requirements_digest
from tests.fastflow.reactor.house import House, texts


async def test_a_run_prints_and_succeeds(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_LINES="5", DOUBLE_ERROR_LINES="2")
        assert await house.ended(run) == RunSucceeded(attempt=1)
    lines = await house.lines(run)
    assert texts(lines) == [f"line {n}" for n in range(1, 6)]
    assert texts(lines, "stderr") == ["line 1", "line 2"]
    assert await house.kinds(run) == [
        "requested",
        "attempt_begun",
        "container_started",
        "container_exited",
        "succeeded",
        "container_removed",
    ]
    assert house.engine.containers == {}
    assert house.engine.created == [house.container(run)]


async def test_the_log_lies_between_the_start_and_the_exit(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_LINES="5")
        await house.ended(run)
    chunks = await house.store.read_chunks(run, 1, 100)
    at = {recorded.event.type_name(): recorded.position for recorded in await house.history(run)}
    assert all(at["run.container_started"] < chunk.position < at["run.container_exited"] for chunk in chunks)


async def test_an_exit_code_is_kept(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_EXIT_CODE="3")
        assert await house.ended(run) == RunFailed(attempt=1, reason="exit_code", exit_code=3)


async def test_out_of_memory_is_told(house: House) -> None:
    async with house.working():
        main = await house.request(memory_limit_bytes=10, DOUBLE_MEMORY="11")
        child = await house.request(DOUBLE_OOM="child")
        assert await house.ended(main) == RunFailed(attempt=1, reason="out_of_memory", exit_code=137)
        assert await house.ended(child) == RunSucceeded(attempt=1)


async def test_a_cancelled_run_ends_by_term(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", stop_grace_seconds=20.0)
        await house.until(run, ContainerStarted)
        await house.cancel(run)
        assert await house.ended(run) == RunCancelled(attempt=1, by="ana", exit_code=143)
        with pytest.raises(RunAlreadyOver):
            await house.cancel(run)
    assert (await house.kinds(run)).count("stop_signalled") == 1


async def test_a_stubborn_script_is_killed_at_its_deadline(house: House) -> None:
    async with house.working():
        run = await house.request(timeout_seconds=0.05, DOUBLE_HOLD="1", DOUBLE_IGNORE_TERM="1")
        assert await house.ended(run) == RunFailed(attempt=1, reason="timeout", exit_code=137)
    kinds = await house.kinds(run)
    assert kinds.count("stop_signalled") == 2
    assert kinds.index("timed_out") < kinds.index("stop_signalled")


async def test_a_run_waits_for_its_turn_the_oldest_first(house: House) -> None:
    house.max_concurrent_runs = 2
    async with house.working():
        first, second = [await house.request(DOUBLE_HOLD="1") for _ in range(2)]
        third, fourth = [await house.request(DOUBLE_HOLD="1") for _ in range(2)]
        for run in (first, second):
            await house.until(run, ContainerStarted)
        assert await house.kinds(third) == await house.kinds(fourth) == ["requested"]
        house.engine.release(house.container(second))
        await house.until(third, ContainerStarted)
        assert await house.kinds(fourth) == ["requested"]
        for run in (first, third):
            house.engine.release(house.container(run))
        await house.until(fourth, ContainerStarted)
        house.engine.release(house.container(fourth))
        await house.ended(fourth)


async def test_a_run_cancelled_in_the_queue_never_begins(house: House) -> None:
    house.max_concurrent_runs = 1
    async with house.working():
        busy = await house.request(DOUBLE_HOLD="1")
        await house.until(busy, ContainerStarted)
        waiting, last = [await house.request() for _ in range(2)]
        await house.cancel(waiting)
        house.engine.release(house.container(busy))
        await house.ended(last)
    assert await house.verdict(waiting) == RunCancelled(attempt=0, by="ana")
    assert house.container(waiting) not in house.engine.created


async def test_many_runs_at_once_keep_their_lines_apart(house: House) -> None:
    house.max_concurrent_runs = 5
    async with house.working():
        runs = [await house.request(DOUBLE_LINES=str(10 * n)) for n in range(20)]
        for n, run in enumerate(runs):
            assert await house.ended(run) == RunSucceeded(attempt=1)
            assert len(await house.lines(run)) == 10 * n


async def test_what_a_script_says_of_its_progress_becomes_events(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        name = house.container(run)
        await house.until(run, ContainerStarted)
        house.engine.write(name, b"::step load\n::progress 1/10 rows\n")
        assert await house.until(run, StepEntered) == StepEntered(attempt=1, name="load")
        assert await house.until(run, Progressed) == Progressed(attempt=1, done=1.0, total=10.0, text="rows")
        house.engine.write(name, b"".join(b"::progress %d/10 rows\n" % n for n in range(2, 11)))
        house.engine.release(name)
        await house.ended(run)
    told = [r.event.done for r in await house.history(run) if isinstance(r.event, Progressed)]
    assert told[0] == 1.0
    assert told[-1] == 10.0, "the last word is never left out"
    assert len(told) < 10, "but not every word is an event"
    assert len(await house.lines(run)) == 11


async def test_output_over_its_limit_is_declared_and_the_script_goes_on(house: House) -> None:
    house.log_max_size_mb = 1
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        name = house.container(run)
        await house.until(run, ContainerStarted)
        for _ in range(3):
            house.engine.write(name, b"x" * 999 + b"\n")
            house.engine.write(name, (b"y" * 999 + b"\n") * 1024)
        await house.until(run, LogGapDeclared)
        house.engine.release(name, 4)
        assert await house.ended(run) == RunFailed(attempt=1, reason="exit_code", exit_code=4)
    gaps = [r.event for r in await house.history(run) if isinstance(r.event, LogGapDeclared)]
    lines = await house.lines(run)
    assert gaps == [LogGapDeclared(attempt=1, cause="size_cap", after_line=len(lines))]
    assert 1 << 20 <= 1000 * len(lines) < 3 << 20


async def test_dependencies_are_built_once_and_found_again(house: House) -> None:
    async with house.working():
        first = await house.request(requirements=("pandas",))
        await house.ended(first)
        second = await house.request(requirements=("pandas",))
        await house.ended(second)
    assert (await house.kinds(first))[1:5] == [
        "attempt_begun",
        "setup_started",
        "setup_finished",
        "container_started",
    ]
    assert (await house.kinds(second))[1:4] == ["attempt_begun", "setup_finished", "container_started"]
    told = await house.store.read_stream(environment(requirements_digest(("pandas",), None)))
    assert [type(recorded.event) for recorded in told] == [EnvironmentReady]


async def test_dependencies_that_cannot_be_had_end_the_run_with_uvs_words(house: House) -> None:
    async with house.working():
        run = await house.request(requirements=("no-such-package",))
        end = await house.ended(run)
    assert isinstance(end, RunFailed)
    assert end.reason == "dependencies_failed"
    assert "no-such-package was not found" in end.detail
    assert texts(await house.lines(run), "stderr") == end.detail.splitlines()
    told = await house.store.read_stream(environment(requirements_digest(("no-such-package",), None)))
    assert [type(recorded.event) for recorded in told] == [EnvironmentFailed]
    assert house.container(run) not in house.engine.created


async def test_each_signal_is_recorded_between_grace_and_kill(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1", DOUBLE_IGNORE_TERM="1", stop_grace_seconds=0.05)
        await house.until(run, AttemptBegun)
        await house.cancel(run)
        assert await house.ended(run) in (
            RunCancelled(attempt=1, by="ana", exit_code=137),
            RunCancelled(attempt=1, by="ana"),
        )
    signals = [r.event.signal for r in await house.history(run) if isinstance(r.event, StopSignalled)]
    assert signals in (["TERM", "KILL"], [])


async def test_two_workers_and_one_does_the_work(house: House) -> None:
    async with house.working() as first, house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
        await asyncio.wait_for(first.stop(), 10)
        house.engine.release(house.container(run))
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert house.engine.starts == [house.container(run)]
