"""The worker over the double engine: what a run's life looks like from outside."""

from __future__ import annotations

from events.run import ContainerStarted, RunCancelled, RunFailed, RunSucceeded
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


async def test_an_exit_code_is_kept(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_EXIT_CODE="3")
        assert await house.ended(run) == RunFailed(attempt=1, reason="exit_code", exit_code=3)


async def test_a_cancelled_run_ends_by_term(house: House) -> None:
    async with house.working():
        run = await house.request(DOUBLE_HOLD="1")
        await house.until(run, ContainerStarted)
        await house.cancel(run)
        assert await house.ended(run) == RunCancelled(attempt=1, by="ana", exit_code=143)
    assert "stop_signalled" in await house.kinds(run)


async def test_a_stubborn_script_is_killed_at_its_deadline(house: House) -> None:
    async with house.working():
        run = await house.request(timeout_seconds=0.05, DOUBLE_HOLD="1", DOUBLE_IGNORE_TERM="1")
        assert await house.ended(run) == RunFailed(attempt=1, reason="timeout", exit_code=137)
    kinds = await house.kinds(run)
    assert kinds.count("stop_signalled") == 2
    assert kinds.index("timed_out") < kinds.index("stop_signalled")
