"""What becomes of containers that nobody looks after."""

from __future__ import annotations

import dataclasses

import pytest

from events.run import RunEvent
from fastflow.domain.run import Active
from fastflow.domain.run_rules import RUN
from fastflow.engine import Observed
from fastflow.reactor.reconciling import Fate, compare, fate, forget
from tests.fastflow.domain.histories import GONE, OVER, PREPARING, REQUESTED, RUNNING, WAITING

RUNS = Observed("box-1", "c1", "r1", 1, "running")
EXITED = dataclasses.replace(RUNS, name="box-2", run="r2", state="exited")
FOREIGN = dataclasses.replace(RUNS, name="pre-heat", run="")


def test_supervised_containers_that_ended_or_are_gone_are_hints() -> None:
    found = compare((RUNS, EXITED), {"r1": "box-1", "r2": "box-2", "r3": "box-3", "r4": None})
    assert found.hints == ("r2", "r3")
    assert found.strangers == ()


def test_containers_of_runs_without_a_supervisor_are_strangers_but_other_containers_are_not() -> None:
    found = compare((RUNS, EXITED, FOREIGN), {"r2": "box-2"})
    assert found.strangers == (RUNS,)


@pytest.mark.parametrize(
    ("history", "young", "old"),
    [
        ((), "leave", "remove"),
        (WAITING, "leave", "remove"),
        (PREPARING, "leave", "leave"),
        (RUNNING, "leave", "leave"),
        (OVER, "remove", "remove"),
        (GONE, "remove", "remove"),
    ],
)
def test_the_fate_of_a_stranger(history: tuple[RunEvent, ...], young: Fate, old: Fate) -> None:
    state = RUN.fold(history)
    assert fate(RUNS, state, 1.0, 300.0) == young
    assert fate(RUNS, state, 301.0, 300.0) == old


def test_the_container_of_an_earlier_attempt_goes_when_it_is_old() -> None:
    second = Active(REQUESTED, 2, "box-2")
    assert fate(RUNS, second, 1.0, 300.0) == "leave"
    assert fate(RUNS, second, 301.0, 300.0) == "remove"


def test_first_sights_of_containers_that_went_are_forgotten() -> None:
    assert forget({"a": 1.0, "b": 2.0}, {"b"}) == {"b": 2.0}
