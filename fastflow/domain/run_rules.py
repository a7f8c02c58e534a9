"""The run decider: what happens to a run next, given what happened so far.

A fact that came late or twice is already so and leads to nothing; one that contradicts what is known is
refused.
"""

from __future__ import annotations

import datetime as dt
from typing import TypeAlias, assert_never

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
    RunSucceeded,
    SetupFinished,
    SetupStarted,
    StepEntered,
    StopSignalled,
    TimedOut,
)
from fastflow.domain.decider import Decider
from fastflow.domain.run import (
    Active,
    BeginAttempt,
    CancelRun,
    DeclareLogGap,
    Events,
    KeyReused,
    NoDeadline,
    NoStopOrder,
    NotStarted,
    Over,
    ReachDeadline,
    RecordExit,
    RecordFailure,
    RecordProgress,
    RecordRemoved,
    RecordSetupFinished,
    RecordSetupStarted,
    RecordStarted,
    RecordStep,
    RecordStopSignal,
    RequestRun,
    RunAlreadyOver,
    RunCommand,
    RunState,
    SecondContainer,
    StaleAttempt,
    StillActive,
    Unborn,
    UnknownRun,
    Waiting,
)
from fastflow.domain.run_history import evolve

SIGNAL_EXIT_CODES = frozenset({137, 143})
"""128 + KILL and 128 + TERM: somebody outside the script ended it."""


def decide(command: RunCommand, state: RunState) -> Events:  # noqa: PLR0911  one case a command
    """What a command leads to; nothing when it is already so. Raises Rejected."""
    match command:
        case RequestRun():
            return _request(command, state)
        case BeginAttempt():
            return _begin(command, state)
        case CancelRun():
            return _cancel(command, state)
        case RecordFailure():
            return _fail(command, state)
        case DeclareLogGap():
            return _declare_gap(command, state)
        case RecordRemoved():
            return _remove(command, state)
        case _:
            under_way = _under_way(command.attempt, state)
            return () if under_way is None else _report(command, under_way)


_Report: TypeAlias = (
    RecordSetupStarted
    | RecordSetupFinished
    | RecordStarted
    | RecordProgress
    | RecordStep
    | ReachDeadline
    | RecordStopSignal
    | RecordExit
)


def _request(command: RequestRun, state: RunState) -> Events:
    match state:
        case Unborn():
            return (command.request,)
        case Waiting() | Active() | Over():
            if state.request != command.request:
                raise KeyReused
            return ()
        case _:
            assert_never(state)


def _begin(command: BeginAttempt, state: RunState) -> Events:
    match state:
        case Unborn():
            raise UnknownRun
        case Waiting():
            if command.attempt != state.attempts + 1:
                raise StaleAttempt
            return (AttemptBegun(attempt=command.attempt, container=command.container),)
        case Active():
            if (command.attempt, command.container) != (state.attempt, state.container):
                raise StaleAttempt
            return ()
        case Over():
            raise RunAlreadyOver
        case _:
            assert_never(state)


def _cancel(command: CancelRun, state: RunState) -> Events:
    match state:
        case Unborn():
            raise UnknownRun
        case Waiting():
            return (RunCancelled(attempt=state.attempts, by=command.by),)
        case Active():
            return () if state.stop else (CancelRequested(by=command.by),)
        case Over():
            raise RunAlreadyOver
        case _:
            assert_never(state)


def _fail(command: RecordFailure, state: RunState) -> Events:
    if isinstance(state, Waiting) and command.attempt == state.attempts:
        return (RunFailed(attempt=command.attempt, reason=command.reason, detail=command.detail),)
    under_way = _under_way(command.attempt, state)
    if under_way is None:
        return ()
    stopped = _stopped(under_way, None)
    return (stopped or RunFailed(attempt=command.attempt, reason=command.reason, detail=command.detail),)


def _declare_gap(command: DeclareLogGap, state: RunState) -> Events:
    under_way = _under_way(command.attempt, state)
    known = state if isinstance(state, Over) else under_way
    gap = (command.attempt, command.cause, command.after_line)
    if known is None or not command.attempt or gap in known.gaps:
        return ()
    attempt, cause, after_line = gap
    size = {"lines": command.lines, "bytes": command.bytes}
    return (LogGapDeclared(attempt=attempt, cause=cause, after_line=after_line, **size),)


def _remove(command: RecordRemoved, state: RunState) -> Events:
    if _under_way(command.attempt, state) is not None:
        raise StillActive
    if isinstance(state, Over) and state.container is not None and state.attempt == command.attempt:
        return (ContainerRemoved(attempt=command.attempt),)
    return ()


def _under_way(attempt: int, state: RunState) -> Active | None:
    """The attempt that a fact is about; None when the fact came late."""
    match state:
        case Unborn():
            raise UnknownRun
        case Waiting():
            known = state.attempts
        case Active() | Over():
            known = state.attempt
        case _:
            assert_never(state)
    if attempt > known:
        raise StaleAttempt
    return state if isinstance(state, Active) and attempt == known else None


def _report(command: _Report, active: Active) -> Events:  # noqa: C901, PLR0911  one case a report
    match command:
        case RecordSetupStarted():
            known = active.setting_up or active.environment or active.container_id
            return () if known else (SetupStarted(attempt=command.attempt),)
        case RecordSetupFinished():
            return _set_up(command, active)
        case RecordStarted():
            return _start(command, active)
        case RecordProgress():
            said = (command.done, command.total, command.text)
            told = Progressed(
                attempt=command.attempt, done=command.done, total=command.total, text=command.text
            )
            return () if said == active.progress else (told,)
        case RecordStep():
            entered = StepEntered(attempt=command.attempt, name=command.name)
            return () if command.name == active.step else (entered,)
        case ReachDeadline():
            if active.deadline is None:
                raise NoDeadline
            return () if active.stop else (TimedOut(attempt=command.attempt),)
        case RecordStopSignal():
            if active.stop is None:
                raise NoStopOrder
            late = active.signalled in {command.signal, "KILL"}
            return () if late else (StopSignalled(attempt=command.attempt, signal=command.signal),)
        case RecordExit():
            return _exit(command, active)
        case _:
            assert_never(command)


def _set_up(command: RecordSetupFinished, active: Active) -> Events:
    if active.container_id or active.environment == command.environment:
        return ()
    return (
        SetupFinished(
            attempt=command.attempt,
            environment=command.environment,
            cached=command.cached,
            seconds=command.seconds,
            packages=command.packages,
        ),
    )


def _start(command: RecordStarted, active: Active) -> Events:
    if active.container_id is not None:
        if active.container_id != command.container_id:
            raise SecondContainer
        return ()
    allowed = active.request.timeout_seconds
    return (
        ContainerStarted(
            attempt=command.attempt,
            container_id=command.container_id,
            image=command.image,
            started_at=command.started_at,
            deadline=None if allowed is None else command.started_at + dt.timedelta(seconds=allowed),
        ),
    )


def _exit(command: RecordExit, active: Active) -> Events:
    if active.container_id is None:
        raise NotStarted
    exited = ContainerExited(
        attempt=command.attempt,
        exit_code=command.exit_code,
        out_of_memory=command.out_of_memory,
        finished_at=command.finished_at,
        lines=command.lines,
        bytes=command.bytes,
    )
    return (exited, _verdict(command, active))


def _verdict(command: RecordExit, active: Active) -> RunSucceeded | RunFailed | RunCancelled:
    stopped = _stopped(active, command.exit_code)
    if stopped is not None:
        return stopped
    if command.exit_code == 0:
        return RunSucceeded(attempt=command.attempt)
    return RunFailed(attempt=command.attempt, reason=_reason(command), exit_code=command.exit_code)


def _stopped(active: Active, exit_code: int | None) -> RunFailed | RunCancelled | None:
    """The end that a stop order leads to, whatever the script made of the signal."""
    if active.stop is None:
        return None
    match active.stop.cause:
        case "cancelled":
            return RunCancelled(attempt=active.attempt, by=active.stop.by, exit_code=exit_code)
        case "timeout":
            return RunFailed(attempt=active.attempt, reason="timeout", exit_code=exit_code)
        case _:
            assert_never(active.stop.cause)


def _reason(command: RecordExit) -> FailureReason:
    if command.out_of_memory:
        return "out_of_memory"
    if command.exit_code in SIGNAL_EXIT_CODES:
        return "engine_restarted" if command.engine_restarted else "killed"
    return "exit_code"


RUN: Decider[RunCommand, RunState, RunEvent] = Decider(Unborn(), decide, evolve)
