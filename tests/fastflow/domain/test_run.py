"""The run decider, told as scenarios."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import msgspec
import pytest

from events.run import (
    AttemptBegun,
    ContainerStarted,
    FailureReason,
    RunCancelled,
    RunEvent,
    RunFailed,
)
from fastflow.domain import run as ask
from fastflow.domain.run_rules import RUN
from tests.fastflow.domain.histories import (
    BEGIN,
    BEGUN,
    CANCEL,
    CANCEL_REQUESTED,
    CANCELLED,
    DEADLINE,
    FACTS,
    GAP,
    GONE,
    KILL,
    LOSE_LINES,
    LOST,
    NOON,
    OVER,
    OVERDUE,
    PREPARING,
    PROGRESS,
    PROGRESSED,
    REMOVE,
    REMOVED,
    REQUEST,
    REQUESTED,
    RUNNING,
    SEND_KILL,
    SEND_TERM,
    SET_UP,
    SETTING_UP,
    SETUP_BEGINS,
    SETUP_ENDS,
    START,
    STARTED,
    STEP,
    STEPPED,
    STOPPING,
    SUCCEEDED,
    TERM,
    TIMED_OUT,
    WAITING,
    end,
    exited,
    failed,
)
from tests.scenario import Given, given


def run(*events: RunEvent) -> Given[ask.RunCommand, ask.RunState, RunEvent]:
    return given(RUN, *events)


def test_a_run_from_request_to_removal() -> None:
    waiting = run().when(REQUEST).then(REQUESTED)
    preparing = waiting.when(BEGIN).then(BEGUN)
    setting_up = preparing.when(SETUP_BEGINS).then(SETTING_UP)
    ready = setting_up.when(SETUP_ENDS).then(SET_UP)
    running = ready.when(START).then(STARTED)
    telling = running.when(PROGRESS).then(PROGRESSED).when(STEP).then(STEPPED)
    over = telling.when(end()).then(exited(), SUCCEEDED)
    gone = over.when(REMOVE).then(REMOVED)
    assert gone.state == ask.Over(REQUESTED, 1, None, "SUCCESS")


def test_the_same_request_is_one_run_and_a_different_one_is_refused() -> None:
    other = msgspec.structs.replace(REQUESTED, env={"A": "1"})
    for history in (WAITING, RUNNING, OVER, GONE):
        run(*history).when(REQUEST).then_nothing()
        run(*history).when(ask.RequestRun(other)).then_refused(ask.KeyReused)


def test_only_the_next_attempt_of_a_waiting_run_begins() -> None:
    run(*WAITING).when(ask.BeginAttempt(2, "box")).then_refused(ask.StaleAttempt)
    run(*PREPARING).when(ask.BeginAttempt(1, "other")).then_refused(ask.StaleAttempt)
    run(*RUNNING).when(BEGIN).then_nothing()
    run(*OVER).when(BEGIN).then_refused(ask.RunAlreadyOver)
    run().when(BEGIN).then_refused(ask.UnknownRun)


def test_a_run_cancelled_in_the_queue_never_begins() -> None:
    cancelled = run(*WAITING).when(CANCEL).then_once(RunCancelled(attempt=0, by="ana"))
    cancelled.when(BEGIN).then_refused(ask.RunAlreadyOver)
    assert cancelled.state == ask.Over(REQUESTED, 0, None, "CANCELLED")


def test_a_cancel_of_an_active_run_is_an_order_and_the_exit_code_is_kept() -> None:
    stopping = run(*RUNNING).when(CANCEL).then(CANCEL_REQUESTED)
    signalled = stopping.when(SEND_TERM).then(TERM).when(SEND_KILL).then(KILL)
    signalled.when(end(137)).then(exited(137), msgspec.structs.replace(CANCELLED, exit_code=137))


def test_a_cancelled_run_is_cancelled_even_when_its_script_ends_well() -> None:
    run(*STOPPING, TERM).when(end(0)).then(exited(0), msgspec.structs.replace(CANCELLED, exit_code=0))


def test_an_order_to_stop_stands_the_second_changes_nothing() -> None:
    run(*STOPPING).when(ask.CancelRun("ben")).then_nothing()
    run(*STOPPING).when(DEADLINE).then_nothing()
    run(*OVERDUE).when(CANCEL).then_nothing()


def test_a_run_that_is_over_cannot_be_cancelled() -> None:
    run(*OVER).when(CANCEL).then_refused(ask.RunAlreadyOver)
    run(*GONE).when(CANCEL).then_refused(ask.RunAlreadyOver)
    run().when(CANCEL).then_refused(ask.UnknownRun)


def test_a_cancel_before_the_container_runs_ends_the_attempt_as_cancelled() -> None:
    ordered = run(*PREPARING, CANCEL_REQUESTED)
    ordered.when(ask.RecordFailure(1, "dependencies_failed", "no such package")).then(CANCELLED)


def test_a_deadline_counts_from_the_engines_start_time() -> None:
    assert STARTED.deadline == NOON + dt.timedelta(seconds=60)
    overdue = run(*RUNNING).when(DEADLINE).then(TIMED_OUT)
    overdue.when(SEND_TERM).then(TERM).when(end(0)).then(exited(0), failed("timeout", 0))
    overdue.when(end(143)).then(exited(143), failed("timeout", 143))


def test_a_run_without_a_timeout_has_no_deadline() -> None:
    asked = msgspec.structs.replace(REQUESTED, timeout_seconds=None)
    started = ContainerStarted(attempt=1, container_id="c1", image="sha256:1", started_at=NOON, deadline=None)
    run(asked, BEGUN).when(START).then(started).when(DEADLINE).then_refused(ask.NoDeadline)
    run(*PREPARING).when(DEADLINE).then_refused(ask.NoDeadline)


@pytest.mark.parametrize(
    ("code", "out_of_memory", "engine_restarted", "reason"),
    [
        (1, False, False, "exit_code"),
        (255, False, False, "exit_code"),
        (126, False, False, "exit_code"),
        (139, False, False, "exit_code"),
        (3, False, True, "exit_code"),
        (137, True, False, "out_of_memory"),
        (1, True, False, "out_of_memory"),
        (137, True, True, "out_of_memory"),
        (137, False, False, "killed"),
        (143, False, False, "killed"),
        (137, False, True, "engine_restarted"),
        (143, False, True, "engine_restarted"),
    ],
)
def test_an_exit_that_nobody_ordered(
    code: int, reason: FailureReason, *, out_of_memory: bool, engine_restarted: bool
) -> None:
    ended = end(code, out_of_memory=out_of_memory, engine_restarted=engine_restarted)
    run(*RUNNING).when(ended).then(exited(code, out_of_memory=out_of_memory), failed(reason, code))


def test_a_child_out_of_memory_is_a_note_when_the_script_ends_well() -> None:
    run(*RUNNING).when(end(0, out_of_memory=True)).then(exited(0, out_of_memory=True), SUCCEEDED)


def test_an_exit_needs_a_container_that_ran() -> None:
    run(*PREPARING).when(end()).then_refused(ask.NotStarted)


def test_one_attempt_has_one_container() -> None:
    run(*RUNNING).when(ask.RecordStarted(1, "c2", "sha256:1", NOON)).then_refused(ask.SecondContainer)


@pytest.mark.parametrize("reason", get_args(FailureReason))
def test_a_failure_before_or_without_an_exit_ends_the_run(reason: FailureReason) -> None:
    for history in (PREPARING, RUNNING):
        run(*history).when(ask.RecordFailure(1, reason, "why")).then(failed(reason, detail="why"))


def test_a_run_can_fail_in_the_queue() -> None:
    told = RunFailed(attempt=0, reason="pipeline_missing", detail="its snapshot is gone")
    ended = run(*WAITING).when(ask.RecordFailure(0, "pipeline_missing", "its snapshot is gone")).then(told)
    assert ended.state == ask.Over(REQUESTED, 0, None, "FAILED")


def test_a_lost_container_that_was_to_be_stopped_has_stopped() -> None:
    run(*STOPPING).when(LOST).then(CANCELLED)
    run(*OVERDUE).when(LOST).then(failed("timeout"))


def test_signals_are_told_once_and_a_kill_is_the_last() -> None:
    run(*STOPPING, TERM).when(SEND_TERM).then_nothing()
    run(*STOPPING, TERM, KILL).when(SEND_TERM).then_nothing()
    run(*STOPPING).when(SEND_KILL).then(KILL)
    run(*RUNNING).when(SEND_TERM).then_refused(ask.NoStopOrder)


def test_a_gap_in_the_log_is_declared_once_also_after_the_end() -> None:
    run(*RUNNING).when(LOSE_LINES).then(GAP)
    run(*RUNNING, GAP, exited(), SUCCEEDED).when(LOSE_LINES).then_nothing()
    run(*OVER).when(LOSE_LINES).then(GAP)


def test_a_set_up_done_again_after_a_crash_is_told_only_when_it_differs() -> None:
    again = ask.RecordSetupFinished(1, "newer", cached=False, seconds=1.0, packages=9)
    newer = msgspec.structs.replace(SET_UP, environment="newer", seconds=1.0)
    run(*PREPARING, SET_UP).when(again).then(newer)
    run(*PREPARING, SET_UP, STARTED).when(again).then_nothing()
    run(*PREPARING, SET_UP).when(SETUP_BEGINS).then_nothing()


def test_progress_that_says_nothing_new_is_not_told() -> None:
    run(*RUNNING, PROGRESSED, STEPPED).when(PROGRESS).then_nothing()
    further = run(*RUNNING, PROGRESSED).when(ask.RecordProgress(1, 4, 10, "rows"))
    further.then(msgspec.structs.replace(PROGRESSED, done=4.0))


def test_a_container_is_needed_until_the_run_is_over() -> None:
    run(*RUNNING).when(REMOVE).then_refused(ask.StillActive)
    run(*GONE).when(REMOVE).then_nothing()


@pytest.mark.parametrize("name", FACTS)
def test_reports_come_late_but_never_early(name: str) -> None:
    fact = FACTS[name]
    run().when(fact(1)).then_refused(ask.UnknownRun)
    run(*WAITING).when(fact(1)).then_refused(ask.StaleAttempt)
    run(*RUNNING).when(fact(2)).then_refused(ask.StaleAttempt)
    run(*OVER).when(fact(2)).then_refused(ask.StaleAttempt)
    if name != "failure":
        run(*WAITING).when(fact(0)).then_nothing()
    run(*RUNNING).when(fact(0)).then_nothing()
    if name not in {"gap", "removal"}:
        run(*OVER).when(fact(1)).then_nothing()


def test_a_second_attempt_can_follow_a_first() -> None:
    state = RUN.evolve(ask.Waiting(REQUESTED, attempts=1), AttemptBegun(attempt=2, container="box-2"))
    assert state == ask.Active(REQUESTED, 2, "box-2")
    assert RUN.decide(ask.BeginAttempt(2, "box-2"), ask.Waiting(REQUESTED, attempts=1)) == (
        AttemptBegun(attempt=2, container="box-2"),
    )
