"""What can happen to a run. Read top to bottom, this is the life of one run."""

from __future__ import annotations

import datetime as dt
from typing import Literal, TypeAlias

import msgspec

from events.base import Event, Stream

Trigger = Literal["manual", "api", "cli", "schedule", "webhook", "downstream", "restart"]
StopCause = Literal["cancelled", "timeout"]
Signal = Literal["TERM", "KILL"]
Network = Literal["bridge", "none"]
GapCause = Literal["size_cap", "engine_log_damaged", "engine_restarted", "container_lost"]
FailureReason = Literal[
    "exit_code",
    "timeout",
    "out_of_memory",
    "killed",
    "image_missing",
    "dependencies_failed",
    "command_missing",
    "pipeline_missing",
    "lost",
    "engine_error",
    "engine_restarted",
]


def stream(run: str) -> Stream:
    """The stream of one run."""
    return Stream("run", run)


def log_stream(run: str) -> Stream:
    """The log lane's stream of one run: chunks of the lines its script printed."""
    return Stream("log", run)


class RunRequested(Event, frozen=True, tag="run.requested"):
    """Somebody or something asked for a run, and it was accepted; what it will execute is fixed here."""

    pipeline: str
    snapshot: str
    """The content-addressed copy of the pipeline's code that this run executes."""
    entry: str
    """The file to run, below the snapshot: `main.py`."""
    requirements: tuple[str, ...] = ()
    """Requirement lines (PEP 508) of requirements.txt or the PEP 723 block; empty means no environment."""
    python_version: str | None = None
    """`3.11`; None means the worker image's own."""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    cpu_limit: float | None = None
    """Cores."""
    memory_limit_bytes: int | None = None
    timeout_seconds: float | None = None
    """Script time allowed; None means no limit."""
    stop_grace_seconds: float = 10.0
    """Between TERM and KILL."""
    network: Network = "bridge"
    trigger: Trigger = "manual"


class AttemptBegun(Event, frozen=True, tag="run.attempt_begun"):
    """A worker took the run from the queue and gave the attempt its number, counted from 1."""

    attempt: int
    container: str
    """The container's name: the same (instance, run, attempt) always gives the same name."""


class SetupStarted(Event, frozen=True, tag="run.setup_started"):
    """The attempt's environment is not ready yet; building it began."""

    attempt: int


class SetupFinished(Event, frozen=True, tag="run.setup_finished"):
    """The attempt's environment is ready (no event when the run needs none)."""

    attempt: int
    environment: str
    """The environment's key: sha256 over lock, Python, image digest, uv and index."""
    cached: bool
    seconds: float
    packages: int


class ContainerStarted(Event, frozen=True, tag="run.container_started"):
    """The engine reports the attempt's container running."""

    attempt: int
    container_id: str
    image: str
    """The image's digest."""
    started_at: dt.datetime
    """By the engine's clock."""
    deadline: dt.datetime | None = None
    """When the timeout fires; None means never."""


class Progressed(Event, frozen=True, tag="run.progressed"):
    """The script said how far it is (`::progress 3/10 text`)."""

    attempt: int
    done: float
    total: float | None = None
    """None when the script counts without knowing the end."""
    text: str = ""


class StepEntered(Event, frozen=True, tag="run.step_entered"):
    """The script named the step it is in (`::step upload`)."""

    attempt: int
    name: str


class CancelRequested(Event, frozen=True, tag="run.cancel_requested"):
    """Somebody asked for the run to stop."""

    by: str


class TimedOut(Event, frozen=True, tag="run.timed_out"):
    """The attempt's deadline passed."""

    attempt: int


class StopSignalled(Event, frozen=True, tag="run.stop_signalled"):
    """The engine delivered a signal to the attempt's container."""

    attempt: int
    signal: Signal


class LogGapDeclared(Event, frozen=True, tag="run.log_gap_declared"):
    """Part of what the script printed is not in the log; this says where, why and how much."""

    attempt: int
    cause: GapCause
    after_line: int
    """The last line kept before the gap; 0 means the gap is at the start."""
    lines: int | None = None
    """None when nobody can know."""
    bytes: int | None = None


class ContainerExited(Event, frozen=True, tag="run.container_exited"):
    """The attempt's container ended and its log is stored to the last line."""

    attempt: int
    exit_code: int
    out_of_memory: bool
    """The engine's flag; a child's death sets it too, so it is a note unless the exit code is not zero."""
    finished_at: dt.datetime
    """By the engine's clock."""
    lines: int
    """Lines in the run's log so far."""
    bytes: int
    """Bytes of those lines as the script wrote them."""


class RunSucceeded(Event, frozen=True, tag="run.succeeded"):
    """The run is over: its script exited with 0."""

    attempt: int


class RunFailed(Event, frozen=True, tag="run.failed"):
    """The run is over and did not do its work."""

    attempt: int
    """0 when no attempt began."""
    reason: FailureReason
    exit_code: int | None = None
    detail: str = ""
    """The engine's or uv's own words, for reasons that have some."""


class RunCancelled(Event, frozen=True, tag="run.cancelled"):
    """The run is over because somebody asked for it."""

    attempt: int
    """0 when no attempt began."""
    by: str
    exit_code: int | None = None


class ContainerRemoved(Event, frozen=True, tag="run.container_removed"):
    """The attempt's container is gone from the engine; nothing of the run is left to do."""

    attempt: int


RunEvent: TypeAlias = (
    RunRequested
    | AttemptBegun
    | SetupStarted
    | SetupFinished
    | ContainerStarted
    | Progressed
    | StepEntered
    | CancelRequested
    | TimedOut
    | StopSignalled
    | LogGapDeclared
    | ContainerExited
    | RunSucceeded
    | RunFailed
    | RunCancelled
    | ContainerRemoved
)
