"""How the list of runs follows their events."""

from __future__ import annotations

import datetime as dt

import pytest

from events.base import Event
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerStarted,
    Progressed,
    RunCancelled,
    RunFailed,
    RunRequested,
    RunSucceeded,
    SetupFinished,
    SetupStarted,
    TimedOut,
)
from projections.run_list import RUN_LIST, RunRow
from projections.run_parts import milliseconds
from tests.projections.projecting import row_of, second

REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py", trigger="api")
BEGUN = AttemptBegun(attempt=1, container="ff-1")
SETTING_UP = SetupStarted(attempt=1)
SET_UP = SetupFinished(attempt=1, environment="e", cached=False, seconds=2.5, packages=3)
STARTED = ContainerStarted(attempt=1, container_id="c1", image="sha256:1", started_at=second(100))
EXITED = ContainerExited(
    attempt=1, exit_code=0, out_of_memory=False, finished_at=second(102), lines=7, bytes=70
)
PENDING = RunRow(
    id="r1",
    pipeline="sales",
    status="PENDING",
    reason="waiting_for_slot",
    trigger="api",
    actor="page",
    requested_at=second(1),
    position=1,
    last_position=1,
)


def run(*events: Event) -> RunRow:
    return row_of(RUN_LIST, REQUEST, *events, actor="page")


def test_a_requested_run_waits() -> None:
    assert run() == PENDING


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((BEGUN,), "starting"),
        ((BEGUN, SETTING_UP), "installing_dependencies"),
        ((BEGUN, SETTING_UP, SET_UP), "starting"),
        ((BEGUN, SET_UP), "starting"),
        ((BEGUN, STARTED), None),
        ((BEGUN, STARTED, CancelRequested(by="ann")), "cancelling"),
        ((BEGUN, CancelRequested(by="ann")), "cancelling"),
        ((BEGUN, CancelRequested(by="ann"), STARTED), "cancelling"),
        ((BEGUN, SETTING_UP, CancelRequested(by="ann"), SET_UP), "cancelling"),
        ((BEGUN, STARTED, TimedOut(attempt=1)), "timing_out"),
    ],
)
def test_a_run_under_way_says_what_it_is_doing(events: tuple[Event, ...], reason: str | None) -> None:
    row = run(*events)

    assert (row.status, row.reason, row.attempt) == ("RUNNING", reason, 1)
    assert row.last_position == 1 + len(events)
    assert row.ended_at is None


def test_progress_is_shown() -> None:
    row = run(BEGUN, STARTED, Progressed(attempt=1, done=3, total=10, text="Syncing"))

    assert (row.progress_done, row.progress_total, row.progress_text) == (3, 10, "Syncing")


def test_a_run_that_succeeded_has_its_script_time_by_the_engines_clock() -> None:
    row = run(BEGUN, SETTING_UP, SET_UP, STARTED, EXITED, RunSucceeded(attempt=1))

    assert (row.status, row.reason, row.exit_code) == ("SUCCESS", None, 0)
    assert (row.started_at, row.ended_at) == (second(100), second(7))
    assert (row.duration_ms, row.lines) == (2000, 7)


def test_a_run_that_failed_says_why() -> None:
    row = run(BEGUN, STARTED, EXITED, RunFailed(attempt=1, reason="exit_code", exit_code=3))

    assert (row.status, row.reason, row.exit_code) == ("FAILED", "exit_code", 3)


def test_a_run_can_fail_before_its_container_starts() -> None:
    row = run(BEGUN, RunFailed(attempt=1, reason="image_missing"))

    assert (row.status, row.reason, row.exit_code) == ("FAILED", "image_missing", None)
    assert (row.started_at, row.duration_ms) == (None, None)


def test_a_run_can_be_cancelled_while_it_waits() -> None:
    row = run(RunCancelled(attempt=0, by="ann"))

    assert (row.status, row.reason, row.attempt) == ("CANCELLED", "cancelled_by", 0)


def test_a_second_attempt_forgets_the_first_ones_figures() -> None:
    row = run(
        BEGUN,
        STARTED,
        Progressed(attempt=1, done=3, total=10, text="Syncing"),
        EXITED,
        AttemptBegun(attempt=2, container="ff-2"),
    )

    assert (row.attempt, row.started_at, row.duration_ms, row.exit_code) == (2, None, None, None)
    assert (row.progress_done, row.progress_total, row.progress_text) == (None, None, "")


def test_what_went_stale_is_named() -> None:
    assert set(RUN_LIST.topics("r1", PENDING)) == {"runs", "run-r1", "pipeline-sales"}


def test_no_span_of_time_is_negative() -> None:
    assert milliseconds(second(5), second(4)) == 0
    assert milliseconds(second(4), second(5) + dt.timedelta(microseconds=1999)) == 1001
