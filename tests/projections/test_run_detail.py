"""What the page of a run shows."""

from __future__ import annotations

from events.base import Event
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    LogGapDeclared,
    Progressed,
    RunCancelled,
    RunFailed,
    RunRequested,
    RunSucceeded,
    SetupFinished,
    SetupStarted,
    StepEntered,
    StopSignalled,
    TimedOut,
)
from projections.run_detail import RUN_DETAIL, Progress, RunDetail
from projections.run_parts import Attempt, Gap, Setup, Signalled, Stop
from tests.projections.projecting import row_of, second

REQUEST = RunRequested(
    pipeline="sales",
    snapshot="s" * 64,
    entry="main.py",
    requirements=("pandas",),
    env={"REGION": "eu"},
    memory_limit_bytes=1 << 29,
    timeout_seconds=30,
)
BEGUN = AttemptBegun(attempt=1, container="ff-1")
STARTED = ContainerStarted(
    attempt=1, container_id="c1", image="sha256:1", started_at=second(100), deadline=second(130)
)
EXITED = ContainerExited(
    attempt=1, exit_code=0, out_of_memory=True, finished_at=second(102), lines=7, bytes=70
)


def run(*events: Event) -> RunDetail:
    return row_of(RUN_DETAIL, REQUEST, *events)


def test_a_requested_run_shows_what_was_asked_for() -> None:
    row = run()

    assert (row.id, row.pipeline, row.status, row.reason) == ("r1", "sales", "PENDING", "waiting_for_slot")
    assert (row.request, row.actor, row.requested_at) == (REQUEST, "api", second(1))
    assert (row.attempts, row.attempt) == ((), None)


def test_a_whole_run_keeps_setup_and_script_time_apart() -> None:
    set_up = SetupFinished(attempt=1, environment="e1", cached=False, seconds=2.5, packages=3)
    ends = (EXITED, RunSucceeded(attempt=1), ContainerRemoved(attempt=1))
    row = run(BEGUN, SetupStarted(attempt=1), set_up, STARTED, *ends)

    attempt = Attempt(
        number=1,
        container="ff-1",
        begun_at=second(2),
        setup=Setup(second(3), second(4), "e1", cached=False, seconds=2.5, packages=3),
        container_id="c1",
        image="sha256:1",
        started_at=second(100),
        deadline=second(130),
        finished_at=second(102),
        exit_code=0,
        out_of_memory=True,
        removed_at=second(8),
    )
    assert row.attempts == (attempt,)
    assert attempt.setup is not None
    assert (attempt.setup.milliseconds, attempt.script_milliseconds) == (2500, 2000)
    assert (row.status, row.reason, row.exit_code) == ("SUCCESS", None, 0)
    assert (row.lines, row.bytes, row.ended_at, row.last_position) == (7, 70, second(7), 8)


def test_an_environment_that_was_ready_has_no_beginning() -> None:
    row = run(BEGUN, SetupFinished(attempt=1, environment="e1", cached=True, seconds=0.0, packages=3))

    assert row.attempt is not None
    assert row.attempt.setup == Setup(None, second(3), "e1", cached=True, seconds=0.0, packages=3)
    assert row.attempt.script_milliseconds is None


def test_an_environment_under_way_has_no_time_yet() -> None:
    row = run(BEGUN, SetupStarted(attempt=1))

    assert row.attempt is not None
    assert row.attempt.setup == Setup(second(3))
    assert row.attempt.setup.milliseconds is None


def test_progress_and_step_are_the_last_ones_said() -> None:
    said = (Progressed(attempt=1, done=1, text="a"), Progressed(attempt=1, done=2, total=3, text="b"))
    row = run(BEGUN, STARTED, *said, StepEntered(attempt=1, name="load"), StepEntered(attempt=1, name="save"))

    assert (row.progress, row.step) == (Progress(2, 3, "b", second(5)), "save")


def test_a_cancelled_run_shows_who_asked_and_how_it_was_stopped() -> None:
    signals = (StopSignalled(attempt=1, signal="TERM"), StopSignalled(attempt=1, signal="KILL"))
    end = RunCancelled(attempt=1, by="ann", exit_code=137)
    row = run(BEGUN, STARTED, CancelRequested(by="ann"), *signals, EXITED, end)

    sent = (Signalled(1, "TERM", second(5)), Signalled(1, "KILL", second(6)))
    assert row.stop == Stop("cancelled", "ann", second(4), sent)
    assert (row.status, row.reason, row.cancelled_by) == ("CANCELLED", "cancelled_by", "ann")
    assert row.exit_code == 137


def test_a_run_past_its_deadline_shows_that() -> None:
    row = run(BEGUN, STARTED, TimedOut(attempt=1))

    assert (row.reason, row.stop) == ("timing_out", Stop("timeout", "api", second(4)))


def test_a_failure_keeps_the_engines_words() -> None:
    row = run(BEGUN, RunFailed(attempt=1, reason="engine_error", detail="no such device"))

    assert (row.status, row.reason, row.detail) == ("FAILED", "engine_error", "no such device")


def test_gaps_in_the_log_are_listed_also_after_the_end() -> None:
    gaps = (
        LogGapDeclared(attempt=1, cause="engine_log_damaged", after_line=3, lines=2, bytes=20),
        LogGapDeclared(attempt=1, cause="container_lost", after_line=9),
    )
    row = run(BEGUN, STARTED, gaps[0], RunFailed(attempt=1, reason="lost"), gaps[1])

    assert row.gaps == (
        Gap(1, "engine_log_damaged", 3, 2, 20),
        Gap(1, "container_lost", 9, None, None),
    )


def test_a_second_attempt_stands_beside_the_first() -> None:
    row = run(BEGUN, STARTED, EXITED, AttemptBegun(attempt=2, container="ff-2"))

    assert [attempt.number for attempt in row.attempts] == [1, 2]
    assert (row.exit_code, row.progress, row.step) == (None, None, None)
