"""Every call of the worker to its world fails or is its last, before or after it took effect.

Whatever happens, one container is made and started, one end is told, every line is stored once and in order,
and nothing is left on the engine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from events.run import ContainerExited, ContainerStarted, RunCancelled, RunEvent, RunFailed, RunSucceeded
from events.verify import verify
from fastflow.engine.gates import KINDS, Crash, Fault, Gates
from tests.fastflow.reactor.house import House, texts

pytestmark = [
    pytest.mark.slow,
    # as a dying process leaves them
    pytest.mark.filterwarnings("ignore:unclosed connection:ResourceWarning"),
]

TRIAL_SECONDS_MAX = 40.0
"""Liveness: a run ends in time, also on a machine that does much else."""
GATES_BEYOND = 3
"""Faults change what is called; a few more gates than the undisturbed run passed are tried."""
PAIRS = 40

versions = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A run, and how it has to end."""

    name: str
    end: RunEvent
    env: Mapping[str, str]
    lines: int = 0
    error_lines: int = 0
    timeout_seconds: float | None = None
    cancelled: bool = False
    requirement: str | None = None
    """Each trial's own version of it, so that each builds an environment."""


SCENARIOS = (
    Scenario("success", RunSucceeded(attempt=1), {}, lines=3),
    Scenario(
        "failure",
        RunFailed(attempt=1, reason="exit_code", exit_code=3),
        {"DOUBLE_EXIT_CODE": "3"},
        lines=2,
        error_lines=1,
    ),
    Scenario(
        "cancel",
        RunCancelled(attempt=1, by="ana", exit_code=137),
        {"DOUBLE_HOLD": "1", "DOUBLE_IGNORE_TERM": "1"},
        lines=2,
        cancelled=True,
    ),
    Scenario(
        "timeout",
        RunFailed(attempt=1, reason="timeout", exit_code=143),
        {"DOUBLE_HOLD": "1"},
        lines=2,
        timeout_seconds=0.03,
    ),
    Scenario("set-up", RunSucceeded(attempt=1), {}, lines=1, requirement="pandas"),
    Scenario(
        "no set-up",
        RunFailed(attempt=1, reason="dependencies_failed", detail="told by uv"),
        {},
        requirement="no-such-package",
    ),
    Scenario("chatty", RunSucceeded(attempt=1), {"DOUBLE_EARLY_END": "150"}, lines=300, error_lines=100),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_every_gate_in_every_way(house: House, scenario: Scenario) -> None:
    undisturbed = Gates()
    await trial(house, scenario, undisturbed)
    assert len(undisturbed.passed) > 20, "the gates are not where the calls are"
    for call in range(1, len(undisturbed.passed) + GATES_BEYOND):
        for kind in KINDS:
            await trial(house, scenario, Gates(Fault(call, kind)))
    assert await verify(house.database) == []


async def test_two_lives_with_a_fault_each(house: House) -> None:
    chance = random.Random(2026)  # noqa: S311 - the same pairs every time
    for _ in range(PAIRS):
        scenario = chance.choice(SCENARIOS)
        lives = [Gates(Fault(chance.randint(1, 30), chance.choice(KINDS))) for _ in range(2)]
        await trial(house, scenario, *lives)
    assert await verify(house.database) == []


async def trial(house: House, scenario: Scenario, *lives: Gates) -> None:
    """One run, seen through by workers that may crash, and checked."""
    run = await house.request(
        scenario.env,
        timeout_seconds=scenario.timeout_seconds,
        stop_grace_seconds=0.02,
        requirements=(f"{scenario.requirement}-{next(versions)}",) if scenario.requirement else (),
        DOUBLE_LINES=str(scenario.lines),
        DOUBLE_ERROR_LINES=str(scenario.error_lines),
    )
    try:
        async with asyncio.timeout(TRIAL_SECONDS_MAX), asyncio.TaskGroup() as group:
            if scenario.cancelled:
                group.create_task(cancel_when_it_runs(house, run))
            await live(house, run, lives)
        await check(house, scenario, run)
    except BaseException as broken:
        for gates in lives:
            broken.add_note(f"{gates.faults} in {list(enumerate(gates.passed, 1))}")
        raise


async def live(house: House, run: str, lives: Sequence[Gates]) -> None:
    """Life after life until the run is over, the last one without faults."""
    for gates in lives:
        try:
            async with house.working(gates):
                ended = asyncio.create_task(house.ended(run))
                crashed = asyncio.create_task(gates.crashed.wait())
                await asyncio.wait((ended, crashed), return_when=asyncio.FIRST_COMPLETED)
                ended.cancel()
                crashed.cancel()
        except BaseExceptionGroup as failures:
            _, others = failures.split(Crash)
            if others is not None:
                raise others from failures
        if not gates.crashed.is_set():
            return
    async with house.working():
        await house.ended(run)


async def cancel_when_it_runs(house: House, run: str) -> None:
    await house.until(run, ContainerStarted)
    await house.cancel(run)


async def check(house: House, scenario: Scenario, run: str) -> None:
    """Every promise, after the dust has settled."""
    end = await house.verdict(run)
    words: list[str] = []
    if isinstance(end, RunFailed) and end.reason == "dependencies_failed":
        assert "was not found" in end.detail
        words = end.detail.splitlines()
        end = msgspec.structs.replace(end, detail="told by uv")
    assert end == scenario.end
    name, containers = house.container(run), 0 if words else 1
    assert house.engine.created.count(name) == containers, "one container"
    assert house.engine.starts.count(name) == containers, "started once"
    assert name not in house.engine.containers, "removed at the end"
    lines = await house.lines(run)
    assert texts(lines) == [f"line {n}" for n in range(1, scenario.lines + 1)]
    assert texts(lines, "stderr") == words + [f"line {n}" for n in range(1, scenario.error_lines + 1)]
    exits = [r.event for r in await house.history(run) if isinstance(r.event, ContainerExited)]
    assert [event.lines for event in exits] == [len(lines)] * containers
    kinds = await house.kinds(run)
    assert kinds[-1] == "container_removed"
    assert "stop_signalled" in kinds or not scenario.cancelled
    once = [kind for kind in kinds if kind not in {"stop_signalled", "log_gap_declared"}]
    assert len(once) == len(set(once))
