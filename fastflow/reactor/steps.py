"""What to do next about a run, from what the log knows and what the engine shows: the whole table, pure.

Every step may be taken twice; after a crash the same table is asked again with what was found.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TypeAlias, assert_never

from events.run import FailureReason
from fastflow.domain.run import Active, Over, RunState, Unborn, Waiting
from fastflow.engine import EngineRefused, ImageMissing, NameTaken, Observed


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to do now: the run waits in the queue, or nothing of it is left."""


@dataclasses.dataclass(frozen=True, slots=True)
class BuildEnvironment:
    """Make sure of the environment before there is a container."""

    active: Active


@dataclasses.dataclass(frozen=True, slots=True)
class CreateContainer:
    """Create the attempt's container, or find the one an earlier create left."""

    active: Active


@dataclasses.dataclass(frozen=True, slots=True)
class StartContainer:
    """Start the created container."""

    active: Active


@dataclasses.dataclass(frozen=True, slots=True)
class Follow:
    """The container runs: record its start, follow its log, wait for its end, stop it when ordered."""

    active: Active
    seen: Observed


@dataclasses.dataclass(frozen=True, slots=True)
class Finish:
    """The container has ended: store the rest of its log and its exit."""

    active: Active
    seen: Observed


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The attempt ends without an exit of its container's own."""

    active: Active
    reason: FailureReason
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Remove:
    """The run is over, or never asked for this container: take it from the engine."""

    name: str
    attempt: int


Step: TypeAlias = (
    Nothing | BuildEnvironment | CreateContainer | StartContainer | Follow | Finish | Report | Remove
)


def next_step(state: RunState, seen: Observed | None) -> Step:
    """The step that a run's state and its container call for; `seen` None means the engine has no container.

    Read as a table: rows are what the log knows, columns what the engine shows.
    """
    match state:
        case Unborn() | Waiting():
            return Nothing() if seen is None else Remove(seen.name, seen.attempt)
        case Active(container_id=None):
            return _before_start(state, seen)
        case Active():
            return _after_start(state, seen)
        case Over():
            return _after_end(state, seen)
        case _:
            assert_never(state)


def _before_start(active: Active, seen: Observed | None) -> Step:  # noqa: PLR0911  one case a cell
    """Begun, and not yet reported running."""
    match seen:
        case None | Observed(state="created") if active.stop:
            return Report(active, "lost", "ended before its container ran")
        case None if needs_environment(active) and active.environment is None:
            return BuildEnvironment(active)
        case None:
            return CreateContainer(active)
        case Observed(state="created", error=error) if is_command_missing(error):
            return Report(active, "command_missing", error)
        case Observed(state="created"):
            return StartContainer(active)
        case Observed(state="running"):
            return Follow(active, seen)
        case Observed():
            return Finish(active, seen)
        case _:
            assert_never(seen)


def _after_start(active: Active, seen: Observed | None) -> Step:
    """Reported running once, also when it is being stopped."""
    match seen:
        case Observed(state="running"):
            return Follow(active, seen)
        case Observed(state="exited"):
            return Finish(active, seen)
        case _:
            return Report(active, "lost", "its container disappeared from the engine")


def _after_end(over: Over, seen: Observed | None) -> Step:
    """Whatever is left has to go, also a container that came back from the dead."""
    if over.container is not None:
        return Remove(over.container, over.attempt)
    return Nothing() if seen is None else Remove(seen.name, seen.attempt)


def needs_environment(active: Active) -> bool:
    """Whether the run's script needs more than the worker image has."""
    return bool(active.request.requirements) or active.request.python_version is not None


def is_command_missing(error: str) -> bool:
    """Whether these words of the engine say that there is nothing to execute."""
    return _COMMAND_MISSING.search(error) is not None


_COMMAND_MISSING = re.compile(
    r"executable file not found|exec: .*(no such file or directory|permission denied|is a directory)"
)


def refused(active: Active, error: EngineRefused) -> Report | None:
    """What a refusal of create or start means for the run; None: perhaps not the next time."""
    match error:
        case NameTaken():
            return Report(active, "engine_error", str(error))
        case ImageMissing():
            return None
        case EngineRefused() if is_command_missing(str(error)):
            return Report(active, "command_missing", str(error))
        case _:
            return None
