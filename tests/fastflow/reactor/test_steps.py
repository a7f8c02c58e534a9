"""The table of what to do next, row by row: what the log knows, what the engine shows, what follows."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from events.run import RunEvent
from fastflow.domain.run import Active, Over, RunState, Unborn
from fastflow.domain.run_rules import RUN
from fastflow.engine import EngineRefused, ImageMissing, NameTaken, Observed
from fastflow.reactor.steps import (
    BuildEnvironment,
    CreateContainer,
    Finish,
    Follow,
    Nothing,
    Remove,
    Report,
    StartContainer,
    Step,
    is_command_missing,
    next_step,
    refused,
)
from tests.fastflow.domain.histories import (
    BEGUN,
    CANCEL_REQUESTED,
    GONE,
    KILL,
    OVER,
    OVERDUE,
    PREPARING,
    REQUESTED,
    RUNNING,
    SET_UP,
    SETTING_UP,
    STOPPING,
    TERM,
    WAITING,
)

NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
CREATED = Observed("box", "c1", "r1", 1, "created")
RUNS = Observed("box", "c1", "r1", 1, "running", started_at=NOON)
EXITED = Observed("box", "c1", "r1", 1, "exited", started_at=NOON, finished_at=NOON, exit_code=0)
MISSING = Observed(
    "box", "c1", "r1", 1, "created", exit_code=127, error='exec: "x": executable file not found'
)
PANDAS = msgspec.structs.replace(REQUESTED, requirements=("pandas",))
NEEDING = (PANDAS, BEGUN)
CREATING_STOP = (*PREPARING, CANCEL_REQUESTED)


def state(*events: RunEvent) -> RunState:
    return RUN.fold(events)


def active(*events: RunEvent) -> Active:
    known = state(*events)
    assert isinstance(known, Active)
    return known


ENDED_EARLY = "ended before its container ran"
DISAPPEARED = "its container disappeared from the engine"


@pytest.mark.parametrize(
    ("history", "seen", "step"),
    [
        # queued
        (WAITING, None, Nothing()),
        (WAITING, CREATED, Remove("box", 1)),
        (WAITING, RUNS, Remove("box", 1)),
        (WAITING, EXITED, Remove("box", 1)),
        # starting
        (PREPARING, None, CreateContainer(active(*PREPARING))),
        (PREPARING, CREATED, StartContainer(active(*PREPARING))),
        (PREPARING, MISSING, Report(active(*PREPARING), "command_missing", MISSING.error)),
        (PREPARING, RUNS, Follow(active(*PREPARING), RUNS)),
        (PREPARING, EXITED, Finish(active(*PREPARING), EXITED)),
        # starting, with an environment
        (NEEDING, None, BuildEnvironment(active(*NEEDING))),
        ((*NEEDING, SETTING_UP), None, BuildEnvironment(active(*NEEDING, SETTING_UP))),
        ((*NEEDING, SET_UP), None, CreateContainer(active(*NEEDING, SET_UP))),
        ((*NEEDING, SET_UP), CREATED, StartContainer(active(*NEEDING, SET_UP))),
        # starting, to be stopped
        (CREATING_STOP, None, Report(active(*CREATING_STOP), "lost", ENDED_EARLY)),
        (CREATING_STOP, CREATED, Report(active(*CREATING_STOP), "lost", ENDED_EARLY)),
        (CREATING_STOP, RUNS, Follow(active(*CREATING_STOP), RUNS)),
        (CREATING_STOP, EXITED, Finish(active(*CREATING_STOP), EXITED)),
        # running
        (RUNNING, None, Report(active(*RUNNING), "lost", DISAPPEARED)),
        (RUNNING, CREATED, Report(active(*RUNNING), "lost", DISAPPEARED)),
        (RUNNING, RUNS, Follow(active(*RUNNING), RUNS)),
        (RUNNING, EXITED, Finish(active(*RUNNING), EXITED)),
        # stopping
        (STOPPING, None, Report(active(*STOPPING), "lost", DISAPPEARED)),
        (STOPPING, RUNS, Follow(active(*STOPPING), RUNS)),
        ((*STOPPING, TERM), RUNS, Follow(active(*STOPPING, TERM), RUNS)),
        ((*STOPPING, TERM, KILL), EXITED, Finish(active(*STOPPING, TERM, KILL), EXITED)),
        # timed out
        (OVERDUE, None, Report(active(*OVERDUE), "lost", DISAPPEARED)),
        (OVERDUE, RUNS, Follow(active(*OVERDUE), RUNS)),
        (OVERDUE, EXITED, Finish(active(*OVERDUE), EXITED)),
        # finished, not cleaned
        (OVER, None, Remove("box", 1)),
        (OVER, CREATED, Remove("box", 1)),
        (OVER, RUNS, Remove("box", 1)),
        (OVER, EXITED, Remove("box", 1)),
        # nothing is left
        (GONE, None, Nothing()),
        (GONE, RUNS, Remove("box", 1)),
        # unknown
        ((), None, Nothing()),
        ((), RUNS, Remove("box", 1)),
    ],
)
def test_the_table(history: tuple[RunEvent, ...], seen: Observed | None, step: Step) -> None:
    assert next_step(state(*history), seen) == step


def test_a_run_cancelled_in_the_queue_leaves_nothing_to_do() -> None:
    assert next_step(Over(REQUESTED, 0, None, "CANCELLED"), None) == Nothing()
    assert next_step(Unborn(), None) == Nothing()


@pytest.mark.parametrize(
    "words",
    [
        'exec: "no-such-command": executable file not found in $PATH',
        'OCI runtime create failed: exec: "/envs/x/bin/python": stat: no such file or directory: unknown',
        'exec: "/app/main.py": permission denied: unknown',
    ],
)
def test_words_that_say_there_is_nothing_to_execute(words: str) -> None:
    assert is_command_missing(words)
    assert refused(active(*PREPARING), EngineRefused(words)) == Report(
        active(*PREPARING), "command_missing", words
    )


def test_a_foreign_container_of_that_name_is_an_error_of_the_engine() -> None:
    report = refused(active(*PREPARING), NameTaken("a container named box exists and is not ours"))
    assert report is not None
    assert report.reason == "engine_error"


def test_other_refusals_may_pass() -> None:
    assert refused(active(*PREPARING), ImageMissing()) is None
    assert refused(active(*PREPARING), EngineRefused("cannot allocate memory")) is None
    assert not is_command_missing("")
