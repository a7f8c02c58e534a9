"""Which pipelines are there, and how is each defined?"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

import sql
from events.base import Recorded
from events.errors import NotFound
from events.pipeline import PipelineBroken, PipelineDefined, PipelineGone, Problem
from events.run import Network
from projections.projector import Projector, stream_key
from sql.database import Database

NEAR_NAMES_MAX = 3

_queries = sql.load("pipeline_list")


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """One pipeline: its last good definition, and what is wrong with its files now."""

    name: str
    gone: bool = False
    """Its files are no longer there."""
    enabled: bool = True
    defined_at: dt.datetime | None = None
    """When the definition in force was read; None when it never had a good one."""
    updated_at: dt.datetime
    """When anything about its files changed."""
    description: str = ""
    tags: tuple[str, ...] = ()
    form: Literal["file", "folder"] | None = None
    entry: str | None = None
    source: str = ""
    snapshot: str | None = None
    configuration: dict[str, Any] = {}
    requirements: tuple[str, ...] = ()
    python_version: str | None = None
    env: dict[str, str] = {}
    cpu_limit: float | None = None
    memory_limit_bytes: int | None = None
    timeout_seconds: float | None = None
    stop_grace_seconds: float = 10.0
    network: Network = "bridge"
    problems: tuple[Problem, ...] = ()
    """What is wrong with its files; the definition above stays in force meanwhile."""
    warnings: tuple[Problem, ...] = ()
    position: int
    """Of the last event."""


class PipelineSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One pipeline, as lists show it."""

    name: str
    gone: bool
    enabled: bool
    defined_at: dt.datetime | None
    updated_at: dt.datetime
    description: str
    form: Literal["file", "folder"] | None
    snapshot: str | None
    tags: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def can_run(self) -> bool:
        """Whether a run of it would be accepted."""
        return self.enabled and not self.gone and self.snapshot is not None


def _topics(name: str, _: Pipeline) -> Iterable[str]:
    return "pipelines", f"pipeline-{name}"


PIPELINE_LIST = Projector(
    "pipeline_list", version=1, row=Pipeline, key=stream_key, topics=_topics, rows_held_max=10
)

_DECODER = msgspec.json.Decoder(Pipeline)
_SUMMARY_DECODER = msgspec.json.Decoder(PipelineSummary)


async def all(database: Database) -> tuple[PipelineSummary, ...]:  # noqa: A001  read as pipeline_list.all
    """Every pipeline whose files are there, by name."""
    async with database.acquire() as connection:
        found = await connection.fetch(_queries.summaries)
    return tuple(_SUMMARY_DECODER.decode(row["summary"]) for row in found)


async def get(database: Database, name: str) -> Pipeline:
    """Everything about one pipeline, also one that is gone; raises NotFound, naming near names."""
    async with database.acquire() as connection:
        found = await connection.fetch(_queries.load, [name])
    if found:
        return _DECODER.decode(found[0]["row"])
    near = await near_names(database, name)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise NotFound(f"There is no pipeline {name}.{hint}")


async def near_names(database: Database, name: str) -> tuple[str, ...]:
    """Names of pipelines that look like this one, the nearest first."""
    async with database.acquire() as connection:
        names = [row["name"] for row in await connection.fetch(_queries.names)]
    return tuple(difflib.get_close_matches(name, names, NEAR_NAMES_MAX))


@PIPELINE_LIST.begins(PipelineDefined)
def _(recorded: Recorded[PipelineDefined], _: Pipeline | None) -> Pipeline:
    defined = recorded.event
    return Pipeline(
        name=recorded.stream.key,
        enabled=defined.enabled,
        defined_at=recorded.at,
        updated_at=recorded.at,
        description=defined.description,
        tags=defined.tags,
        form=defined.form,
        entry=defined.entry,
        source=defined.source,
        snapshot=defined.snapshot,
        configuration=defined.configuration,
        requirements=defined.requirements,
        python_version=defined.python_version,
        env=defined.env,
        cpu_limit=defined.cpu_limit,
        memory_limit_bytes=defined.memory_limit_bytes,
        timeout_seconds=defined.timeout_seconds,
        stop_grace_seconds=defined.stop_grace_seconds,
        network=defined.network,
        warnings=defined.warnings,
        position=recorded.position,
    )


@PIPELINE_LIST.begins(PipelineBroken)
def _(recorded: Recorded[PipelineBroken], row: Pipeline | None) -> Pipeline:
    row = row or Pipeline(name=recorded.stream.key, updated_at=recorded.at, position=recorded.position)
    return replace(
        row,
        gone=False,
        problems=recorded.event.problems,
        updated_at=recorded.at,
        position=recorded.position,
    )


@PIPELINE_LIST.on(PipelineGone)
def _(recorded: Recorded[PipelineGone], row: Pipeline) -> Pipeline:
    return replace(row, gone=True, problems=(), updated_at=recorded.at, position=recorded.position)
