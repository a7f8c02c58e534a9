"""What can be asked or reported of a run, and what is known of one; `run_rules` decides."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Literal, TypeAlias

from events.errors import Invalid, NotFound, NotPossibleNow
from events.run import FailureReason, GapCause, RunEvent, RunRequested, Signal, StopCause

Events: TypeAlias = tuple[RunEvent, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class RequestRun:
    """Accept a run; the same request twice is one run."""

    request: RunRequested


@dataclasses.dataclass(frozen=True, slots=True)
class BeginAttempt:
    """Take the run from the queue."""

    attempt: int
    container: str


@dataclasses.dataclass(frozen=True, slots=True)
class RecordSetupStarted:
    """The environment is being built."""

    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class RecordSetupFinished:
    """The environment is ready."""

    attempt: int
    environment: str
    cached: bool
    seconds: float
    packages: int


@dataclasses.dataclass(frozen=True, slots=True)
class RecordStarted:
    """The engine reports the container running."""

    attempt: int
    container_id: str
    image: str
    started_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class RecordProgress:
    """The script said how far it is."""

    attempt: int
    done: float
    total: float | None
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class RecordStep:
    """The script named its step."""

    attempt: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class CancelRun:
    """Stop the run, wherever it is."""

    by: str


@dataclasses.dataclass(frozen=True, slots=True)
class ReachDeadline:
    """The attempt's time is up."""

    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class RecordStopSignal:
    """The engine delivered a signal."""

    attempt: int
    signal: Signal


@dataclasses.dataclass(frozen=True, slots=True)
class DeclareLogGap:
    """Part of the log is missing, and this is what is known about it."""

    attempt: int
    cause: GapCause
    after_line: int
    lines: int | None = None
    bytes: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RecordExit:
    """The container ended and its log is stored to the last line."""

    attempt: int
    exit_code: int
    out_of_memory: bool
    finished_at: dt.datetime
    lines: int
    bytes: int
    engine_restarted: bool = False
    """The engine went away around the exit, so a signal's exit code is its doing."""


@dataclasses.dataclass(frozen=True, slots=True)
class RecordFailure:
    """The attempt ended without its container's own exit: never started, or lost."""

    attempt: int
    reason: FailureReason
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class RecordRemoved:
    """The container is gone from the engine."""

    attempt: int


RunCommand: TypeAlias = (
    RequestRun
    | BeginAttempt
    | RecordSetupStarted
    | RecordSetupFinished
    | RecordStarted
    | RecordProgress
    | RecordStep
    | CancelRun
    | ReachDeadline
    | RecordStopSignal
    | DeclareLogGap
    | RecordExit
    | RecordFailure
    | RecordRemoved
)


@dataclasses.dataclass(frozen=True, slots=True)
class Unborn:
    """Nothing happened yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """Accepted, in the queue."""

    request: RunRequested
    attempts: int = 0
    """Attempts already made."""


@dataclasses.dataclass(frozen=True, slots=True)
class StopOrder:
    """Why an active run is being ended, and by whom."""

    cause: StopCause
    by: str


Gap: TypeAlias = tuple[int, GapCause, int]
"""(attempt, cause, the last line before it): what makes a declared gap the same gap."""


@dataclasses.dataclass(frozen=True, slots=True)
class Active:
    """An attempt is under way."""

    request: RunRequested
    attempt: int
    container: str
    setting_up: bool = False
    environment: str | None = None
    container_id: str | None = None
    """None until the engine reports the container running; so are the two times."""
    started_at: dt.datetime | None = None
    deadline: dt.datetime | None = None
    progress: tuple[float, float | None, str] | None = None
    step: str | None = None
    stop: StopOrder | None = None
    signalled: Signal | None = None
    """The last signal delivered: KILL stays KILL."""
    gaps: frozenset[Gap] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Over:
    """The run ended; a container may still have to be removed."""

    request: RunRequested
    attempt: int
    container: str | None
    """None when nothing is left on the engine."""
    status: Literal["SUCCESS", "FAILED", "CANCELLED"]
    gaps: frozenset[Gap] = frozenset()


RunState: TypeAlias = Unborn | Waiting | Active | Over


class UnknownRun(NotFound):
    """There is no such run."""


class RunAlreadyOver(NotPossibleNow):
    """This run is over; ask for a new one instead."""


class KeyReused(Invalid):
    """This Idempotency-Key was used before with a different request."""


class StaleAttempt(NotPossibleNow):
    """This is about an attempt that has not begun."""


class SecondContainer(NotPossibleNow):
    """Another container of this attempt was started before."""


class NotStarted(NotPossibleNow):
    """This attempt's container has not been reported running."""


class NoDeadline(NotPossibleNow):
    """This attempt has no deadline."""


class NoStopOrder(NotPossibleNow):
    """Nobody asked for this run to stop."""


class StillActive(NotPossibleNow):
    """This attempt is under way; its container is needed."""
