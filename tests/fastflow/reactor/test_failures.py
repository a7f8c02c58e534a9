"""What goes wrong with one run stays with that run, and says why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from events import run as runs
from events.run import ContainerStarted, RunFailed, RunSucceeded
from fastflow.domain.run import BeginAttempt
from fastflow.domain.run_rules import RUN
from fastflow.engine import EngineRefused, Job, Observed, Piece
from fastflow.engine.frames import LogDamaged
from tests.fastflow.reactor.house import CountingEngine, House, texts


class Refusing(CountingEngine):
    """Refuses calls for runs whose environment says so; `TIMES` says how often."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, int] = {}

    async def start(self, name: str) -> Observed:
        self._refuse(name, "REFUSE_START")
        return await super().start(name)

    async def wait(self, name: str) -> Observed:
        self._refuse(name, "REFUSE_WAIT")
        return await super().wait(name)

    async def remove(self, name: str) -> None:
        if name in self.containers:
            self._refuse(name, "REFUSE_REMOVE")
        await super().remove(name)

    async def logs(self, name: str, since: int, *, follow: bool) -> AsyncIterator[Sequence[Piece]]:
        async for batch in super().logs(name, since, follow=follow):
            yield batch
            if "DAMAGED" in self.containers[name].job.env:
                raise LogDamaged("the engine cannot read on")

    def _refuse(self, name: str, variable: str) -> None:
        env = self.containers[name].job.env
        times = int(env.get("TIMES", "1000000"))
        if variable in env and self.refused.get(name, 0) < times:
            self.refused[name] = self.refused.get(name, 0) + 1
            raise EngineRefused(env[variable])


@pytest.fixture
def refusing(house: House) -> House:
    house.engine = house.real_engine = Refusing()
    return house


async def test_a_command_that_is_not_there(refusing: House) -> None:
    words = 'exec: "/envs/x/bin/python": executable file not found in $PATH'
    async with refusing.working():
        run = await refusing.request(REFUSE_START=words)
        assert await refusing.ended(run) == RunFailed(attempt=1, reason="command_missing", detail=words)
    assert refusing.engine.containers == {}


async def test_a_refusal_that_passes_is_tried_again(refusing: House) -> None:
    async with refusing.working():
        run = await refusing.request(REFUSE_START="cannot allocate memory", TIMES="2")
        assert await refusing.ended(run) == RunSucceeded(attempt=1)


async def test_a_refusal_that_stays_fails_that_run_and_no_other(refusing: House) -> None:
    async with refusing.working():
        run = await refusing.request(REFUSE_START="cannot allocate memory")
        other = await refusing.request(DOUBLE_LINES="3")
        assert await refusing.ended(run) == RunFailed(
            attempt=1, reason="engine_error", detail="EngineRefused: cannot allocate memory"
        )
        assert await refusing.ended(other) == RunSucceeded(attempt=1)


async def test_a_started_run_whose_end_cannot_be_awaited_fails_with_a_declared_gap(refusing: House) -> None:
    async with refusing.working():
        run = await refusing.request(DOUBLE_HOLD="1", REFUSE_WAIT="internal error")
        end = await refusing.ended(run)
    assert isinstance(end, RunFailed)
    assert end.reason == "engine_error"
    assert "log_gap_declared" in await refusing.kinds(run)
    assert refusing.engine.containers == {}


async def test_a_container_that_will_not_go_is_tried_until_it_goes(refusing: House) -> None:
    async with refusing.working():
        run = await refusing.request(REFUSE_REMOVE="device or resource busy", TIMES="8")
        assert await refusing.ended(run) == RunSucceeded(attempt=1)
    assert refusing.engine.containers == {}


async def test_a_damaged_log_is_declared_and_the_verdict_is_the_scripts_own(refusing: House) -> None:
    async with refusing.working():
        run = await refusing.request(DOUBLE_LINES="5", DAMAGED="1", DOUBLE_EXIT_CODE="7")
        assert await refusing.ended(run) == RunFailed(attempt=1, reason="exit_code", exit_code=7)
    assert "log_gap_declared" in await refusing.kinds(run)
    assert texts(await refusing.lines(run)) == [f"line {n}" for n in range(1, 6)]


async def test_somebody_elses_container_of_that_name_is_never_touched(house: House) -> None:
    run = await house.request()
    name = house.container(run)
    await house.engine.create(Job(name, "image", ("python3",), {"DOUBLE_HOLD": "1"}, {"theirs": "1"}))
    await house.engine.start(name)
    await house.commands.handle(RUN, runs.stream(run), BeginAttempt(1, name))
    async with house.working():
        end = await house.ended(run)
    assert isinstance(end, RunFailed)
    assert end.reason == "engine_error"
    assert "is not ours" in end.detail
    assert house.engine.containers[name].state == "running"


async def test_code_that_is_gone_is_told(house: House) -> None:
    async with house.working():
        run = await house.request(snapshot="gone")
        end = await house.ended(run)
    assert isinstance(end, RunFailed)
    assert end.reason == "pipeline_missing"
    assert house.engine.created == []


async def test_an_unexpected_error_in_one_supervisor_leaves_the_others_alone(house: House) -> None:
    class Broken(CountingEngine):
        async def create(self, job: Job) -> Observed:
            if "BROKEN" in job.env:
                raise ZeroDivisionError("a fault of ours")
            return await super().create(job)

    house.engine = house.real_engine = Broken()
    async with house.working():
        held = await house.request(DOUBLE_HOLD="1")
        await house.until(held, ContainerStarted)
        run = await house.request(BROKEN="1")
        end = await house.ended(run)
        assert end == RunFailed(attempt=1, reason="engine_error", detail="ZeroDivisionError: a fault of ours")
        house.engine.release(house.container(held))
        assert await house.ended(held) == RunSucceeded(attempt=1)
