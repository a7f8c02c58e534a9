"""What is known of a run after each event; no rules here, history is never refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias, assert_never

from events.errors import Damaged
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
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
from fastflow.domain.run import Active, Over, RunState, StopOrder, Unborn, Waiting


def evolve(state: RunState, event: RunEvent) -> RunState:  # noqa: PLR0911  one case an event
    """What is known after an event."""
    match event:
        case RunRequested():
            return Waiting(event)
        case AttemptBegun():
            return Active(_asked(state), event.attempt, event.container)
        case RunSucceeded():
            return _over(state, event.attempt, "SUCCESS")
        case RunFailed():
            return _over(state, event.attempt, "FAILED")
        case RunCancelled():
            return _over(state, event.attempt, "CANCELLED")
        case ContainerRemoved():
            return replace(state, container=None) if isinstance(state, Over) else state
        case LogGapDeclared():
            gap = (event.attempt, event.cause, event.after_line)
            return replace(state, gaps=state.gaps | {gap}) if isinstance(state, Active | Over) else state
        case _:
            return _grown(state, event) if isinstance(state, Active) else state


_Growth: TypeAlias = (
    SetupStarted
    | SetupFinished
    | ContainerStarted
    | Progressed
    | StepEntered
    | CancelRequested
    | TimedOut
    | StopSignalled
    | ContainerExited
)


def _grown(active: Active, event: _Growth) -> Active:  # noqa: PLR0911  one case an event
    match event:
        case SetupStarted():
            return replace(active, setting_up=True)
        case SetupFinished():
            return replace(active, setting_up=False, environment=event.environment)
        case ContainerStarted():
            return replace(
                active,
                container_id=event.container_id,
                started_at=event.started_at,
                deadline=event.deadline,
            )
        case Progressed():
            return replace(active, progress=(event.done, event.total, event.text))
        case StepEntered():
            return replace(active, step=event.name)
        case CancelRequested():
            return replace(active, stop=StopOrder("cancelled", event.by))
        case TimedOut():
            return replace(active, stop=StopOrder("timeout", "system"))
        case StopSignalled():
            return replace(active, signalled=event.signal)
        case ContainerExited():
            return active
        case _:
            assert_never(event)


def _asked(state: RunState) -> RunRequested:
    if isinstance(state, Unborn):
        raise Damaged("a run's history does not begin with its request")
    return state.request


def _over(state: RunState, attempt: int, status: Literal["SUCCESS", "FAILED", "CANCELLED"]) -> Over:
    container = state.container if isinstance(state, Active) else None
    gaps = state.gaps if isinstance(state, Active) else frozenset()
    return Over(_asked(state), attempt, container, status, gaps)
