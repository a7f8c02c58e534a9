"""A run's events as the lines of its timeline."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator

from events.base import Event, Recorded
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    LogGapDeclared,
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
from web.words import REASONS, TRIGGERS, actor, counted, duration, gap, size


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """One line: what happened, when, and how good or bad that is."""

    at: dt.datetime
    what: str
    more: str = ""
    tone: str = ""
    """`go`, `good`, `bad`, `stop` or nothing."""


def timeline(events: Iterable[Recorded[Event]]) -> list[Moment]:
    """The moments of a run, in order. Progress is not among them: it has its own bar."""
    return [moment for recorded in events for moment in _moments(recorded)]


def _moments(recorded: Recorded[Event]) -> Iterator[Moment]:
    at = recorded.at
    match recorded.event:
        case RunRequested() as event:
            yield Moment(at, "Requested", f"from {TRIGGERS[event.trigger]}")
        case AttemptBegun() as event:
            again = "" if event.attempt == 1 else f"attempt {event.attempt}"
            yield Moment(at, "Taken from the queue", again)
        case SetupStarted():
            yield Moment(at, "Installing dependencies")
        case SetupFinished() as event:
            packages = counted(event.packages, "package")
            how = "was ready" if event.cached else f"built in {duration(event.seconds * 1000)}"
            yield Moment(at, "Environment ready", f"{packages}, {how}")
        case ContainerStarted() as event:
            limit = f"until {event.deadline:%H:%M:%S} UTC at most" if event.deadline else ""
            yield Moment(at, "Script started", limit, "go")
        case StepEntered() as event:
            yield Moment(at, f"Step: {event.name}")
        case LogGapDeclared() as event:
            yield Moment(at, "Part of the log is missing", gap(event), "stop")
        case ContainerExited() as event:
            yield _exit(at, event)
        case ContainerRemoved():
            yield Moment(at, "Container removed")
        case _:
            yield from _ends(recorded)


def _ends(recorded: Recorded[Event]) -> Iterator[Moment]:
    at = recorded.at
    match recorded.event:
        case CancelRequested() as event:
            yield Moment(at, "Cancel requested", f"by {actor(event.by)}", "stop")
        case TimedOut():
            yield Moment(at, "Time limit reached", "", "stop")
        case StopSignalled() as event:
            asked = "asked to end" if event.signal == "TERM" else "ended by force"
            yield Moment(at, f"Signal {event.signal} delivered", asked, "stop")
        case RunSucceeded():
            yield Moment(at, "Succeeded", "", "good")
        case RunFailed() as event:
            yield Moment(at, "Failed", _why(event), "bad")
        case RunCancelled() as event:
            yield Moment(at, "Cancelled", f"by {actor(event.by)}", "stop")
        case _:
            return


def _why(event: RunFailed) -> str:
    if event.reason == "exit_code":
        return f"exit code {event.exit_code}"
    code = f", exit code {event.exit_code}" if event.exit_code is not None else ""
    return f"{REASONS[event.reason]}{code}"


def _exit(at: dt.datetime, event: ContainerExited) -> Moment:
    log = f"{counted(event.lines, 'line')} of log, {size(event.bytes)}"
    memory = "; something in it ran out of memory" if event.out_of_memory else ""
    return Moment(at, f"Script ended with exit code {event.exit_code}", f"{log}{memory}")
