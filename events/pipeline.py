"""What can happen to a pipeline. Read top to bottom, this is the life of one pipeline."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from events.base import Event, Stream
from events.run import Network


def stream(name: str) -> Stream:
    """The stream of one pipeline."""
    return Stream("pipeline", name)


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a pipeline's files, worded for the person who wrote them."""

    file: str
    """Below the pipelines folder."""
    message: str
    line: int | None = None
    field: str | None = None
    """Dotted path in the configuration file."""
    severity: Literal["error", "warning"] = "error"


class PipelineDefined(Event, frozen=True, tag="pipeline.defined"):
    """A pipeline was found, or its files changed, and it can run; this replaces its definition."""

    snapshot: str
    """The content-addressed copy of its code."""
    form: Literal["file", "folder"]
    entry: str
    """The file that runs, below the snapshot."""
    source: str
    """Text of the entry file for the pipeline's page, shortened to 128 KiB."""
    configuration: dict[str, Any]
    """Every field of the configuration file as written, also those this release does not act on."""
    description: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = True
    requirements: tuple[str, ...] = ()
    python_version: str | None = None
    env: dict[str, str] = msgspec.field(default_factory=dict)
    cpu_limit: float | None = None
    memory_limit_bytes: int | None = None
    timeout_seconds: float | None = None
    stop_grace_seconds: float = 10.0
    network: Network = "bridge"
    warnings: tuple[Problem, ...] = ()


class PipelineBroken(Event, frozen=True, tag="pipeline.broken"):
    """A pipeline's files changed to something that cannot run; the last good definition stays in force."""

    problems: tuple[Problem, ...]


class PipelineGone(Event, frozen=True, tag="pipeline.gone"):
    """A pipeline's files are gone; its runs stay, new ones are refused."""


PipelineEvent: TypeAlias = PipelineDefined | PipelineBroken | PipelineGone
