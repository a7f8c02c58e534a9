"""Events and commands of one run with their usual values: a test says only what it is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    FailureReason,
    LogGapDeclared,
    Progressed,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunRequested,
    RunSucceeded,
    SetupFinished,
    SetupStarted,
    StepEntered,
    StopSignalled,
    TimedOut,
)
from fastflow.domain import run as ask

NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(seconds=5)

REQUESTED = RunRequested(pipeline="sales", snapshot="abc", entry="main.py", timeout_seconds=60.0)
BEGUN = AttemptBegun(attempt=1, container="box")
SETTING_UP = SetupStarted(attempt=1)
SET_UP = SetupFinished(attempt=1, environment="env", cached=False, seconds=2.0, packages=9)
STARTED = ContainerStarted(
    attempt=1, container_id="c1", image="sha256:1", started_at=NOON, deadline=NOON + dt.timedelta(seconds=60)
)
PROGRESSED = Progressed(attempt=1, done=3, total=10, text="rows")
STEPPED = StepEntered(attempt=1, name="upload")
CANCEL_REQUESTED = CancelRequested(by="ana")
TIMED_OUT = TimedOut(attempt=1)
TERM = StopSignalled(attempt=1, signal="TERM")
KILL = StopSignalled(attempt=1, signal="KILL")
GAP = LogGapDeclared(attempt=1, cause="container_lost", after_line=7)
SUCCEEDED = RunSucceeded(attempt=1)
CANCELLED = RunCancelled(attempt=1, by="ana")
REMOVED = ContainerRemoved(attempt=1)

WAITING: tuple[RunEvent, ...] = (REQUESTED,)
PREPARING = (*WAITING, BEGUN)
RUNNING = (*PREPARING, STARTED)
STOPPING = (*RUNNING, CANCEL_REQUESTED)
OVERDUE = (*RUNNING, TIMED_OUT)


def exited(exit_code: int = 0, *, out_of_memory: bool = False) -> ContainerExited:
    return ContainerExited(
        attempt=1, exit_code=exit_code, out_of_memory=out_of_memory, finished_at=LATER, lines=7, bytes=70
    )


def failed(reason: FailureReason, exit_code: int | None = None, detail: str = "") -> RunFailed:
    return RunFailed(attempt=1, reason=reason, exit_code=exit_code, detail=detail)


OVER = (*RUNNING, exited(), SUCCEEDED)
GONE = (*OVER, REMOVED)

REQUEST = ask.RequestRun(REQUESTED)
BEGIN = ask.BeginAttempt(1, "box")
SETUP_BEGINS = ask.RecordSetupStarted(1)
SETUP_ENDS = ask.RecordSetupFinished(1, "env", cached=False, seconds=2.0, packages=9)
START = ask.RecordStarted(1, "c1", "sha256:1", NOON)
PROGRESS = ask.RecordProgress(1, 3, 10, "rows")
STEP = ask.RecordStep(1, "upload")
CANCEL = ask.CancelRun("ana")
DEADLINE = ask.ReachDeadline(1)
SEND_TERM = ask.RecordStopSignal(1, "TERM")
SEND_KILL = ask.RecordStopSignal(1, "KILL")
LOSE_LINES = ask.DeclareLogGap(1, "container_lost", 7)
LOST = ask.RecordFailure(1, "lost")
REMOVE = ask.RecordRemoved(1)


def end(exit_code: int = 0, *, out_of_memory: bool = False, engine_restarted: bool = False) -> ask.RecordExit:
    return ask.RecordExit(
        1, exit_code, out_of_memory, LATER, lines=7, bytes=70, engine_restarted=engine_restarted
    )


FACTS: dict[str, Callable[[int], ask.RunCommand]] = {
    "setup begins": ask.RecordSetupStarted,
    "setup ends": lambda n: ask.RecordSetupFinished(n, "env", cached=True, seconds=0.0, packages=1),
    "start": lambda n: ask.RecordStarted(n, "c1", "sha256:1", NOON),
    "progress": lambda n: ask.RecordProgress(n, 1, None, ""),
    "step": lambda n: ask.RecordStep(n, "one"),
    "deadline": ask.ReachDeadline,
    "signal": lambda n: ask.RecordStopSignal(n, "TERM"),
    "gap": lambda n: ask.DeclareLogGap(n, "size_cap", 1),
    "exit": lambda n: ask.RecordExit(n, 0, out_of_memory=False, finished_at=LATER, lines=0, bytes=0),
    "failure": lambda n: ask.RecordFailure(n, "lost"),
    "removal": ask.RecordRemoved,
}
"""Every report about an attempt, by the attempt's number."""
