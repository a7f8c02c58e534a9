"""What the Docker daemon's answers mean, in the port's words: documents, times and refusals."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from events.errors import FastFlowError
from fastflow.engine import ContainerGone, EngineAway, EngineRefused, ImageMissing, Observed
from fastflow.engine.container import Machine

State: TypeAlias = Literal["created", "running", "exited"]

Document: TypeAlias = Mapping[str, Any]

CONTAINERS_SEE_ONE_ANOTHER = "com.docker.network.bridge.enable_icc"
DEFAULT_NETWORK, OWN_NETWORK = "bridge", "fastflow"
"""Ours costs 60 ms at each start (its name server), so a daemon with `icc` off gets its own default one."""
NEWLINES_KEPT_SINCE = 23
"""The engine's release whose `local` driver keeps the newline of a line over 16 KiB."""
UNREACHABLE = {502, 503, 504, 900}
"""900 is aiodocker's own: no connection; the others come from a proxy in between."""


class Conflict(EngineRefused):
    """The engine says 409: that name exists, that container does not run, it is being removed."""


class PodmanRefused(EngineRefused):
    """This is Podman, whose logs lose lines and exact times; Fast-Flow needs a Docker engine."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ground:
    """What is known of a daemon."""

    version: str
    machine: Machine
    clock_skew_seconds: float
    """Its clock less ours."""
    forgets_newlines: bool


def refuse_podman(version: Document) -> None:
    """From `/version`. Raises PodmanRefused."""
    if any("podman" in part.get("Name", "").lower() for part in version.get("Components") or ()):
        raise PodmanRefused


def ground(version: Document, information: Document, bridge: Document, now: float) -> Ground:
    """From `/version`, `/info` at the moment `now` of our clock, and the default network."""
    release = str(version["Version"])
    major = release.partition(".")[0]
    alone = (bridge.get("Options") or {}).get(CONTAINERS_SEE_ONE_ANOTHER) == "false"
    return Ground(
        version=release,
        machine=Machine(
            cores=int(information["NCPU"]),
            memory_bytes=int(information["MemTotal"]),
            bridge=DEFAULT_NETWORK if alone else OWN_NETWORK,
        ),
        clock_skew_seconds=_moment(information["SystemTime"]).timestamp() - now,
        forgets_newlines=major.isdigit() and int(major) < NEWLINES_KEPT_SINCE,
    )


def observed(document: Document) -> Observed:
    """From a container's inspect document. Raises ContainerGone for one that is just being removed."""
    state = document.get("State") or {}
    labels = document["Config"].get("Labels") or {}
    name = document["Name"].removeprefix("/")
    seen = _state(state.get("Status", "created"), name)
    attempt = labels.get("fastflow-attempt", "")
    error = state.get("Error", "") if seen == "created" else ""
    return Observed(
        name=name,
        container_id=document["Id"],
        run=labels.get("fastflow-run-id", ""),
        attempt=int(attempt) if attempt.isascii() and attempt.isdigit() else 0,
        state=seen,
        image=document.get("Image", ""),
        started_at=_happened(state.get("StartedAt", "")),
        finished_at=_finished(state) if seen == "exited" else None,
        exit_code=state["ExitCode"] if seen == "exited" or error else None,
        out_of_memory=bool(state.get("OOMKilled")),
        error=error,
    )


def refusal(status: int, message: str) -> FastFlowError:
    """The error an HTTP status and its message stand for."""
    if status in UNREACHABLE:
        return EngineAway(message)
    if status == 404 and "No such container" in message:  # noqa: PLR2004 - HTTP's own numbers
        return ContainerGone(message)
    if status == 404 and "No such image" in message:  # noqa: PLR2004
        return ImageMissing(message)
    if status == 409:  # noqa: PLR2004
        return Conflict(message)
    return EngineRefused(message)


def _state(status: str, name: str) -> State:
    match status:
        case "created":
            return "created"
        case "running" | "paused" | "restarting":
            return "running"
        case "exited" | "dead":
            return "exited"
        case _:
            raise ContainerGone(f"{name} is being removed")


def _finished(state: Document) -> dt.datetime | None:
    """The daemon notes a start late: a short script's end would be before it."""
    started, finished = _happened(state.get("StartedAt", "")), _happened(state.get("FinishedAt", ""))
    return max(started, finished) if started and finished else finished


def _happened(written: str) -> dt.datetime | None:
    return None if not written or written.startswith("0001-") else _moment(written)


def _moment(written: str) -> dt.datetime:
    """A time as the engine writes it, to the microsecond."""
    return dt.datetime.fromisoformat(written).astimezone(dt.UTC)
