"""Which runs are there, newest first, and how are they? One light row for each run."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

import sql
from events.base import Recorded
from events.errors import NotFound
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerStarted,
    FailureReason,
    Progressed,
    RunCancelled,
    RunFailed,
    RunRequested,
    RunSucceeded,
    SetupFinished,
    SetupStarted,
    TimedOut,
    Trigger,
)
from projections.projector import Projector, stream_key
from projections.run_parts import milliseconds
from sql.database import Connection, Database

Status: TypeAlias = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]
Reason: TypeAlias = (
    Literal[
        "waiting_for_slot",
        "starting",
        "installing_dependencies",
        "cancelling",
        "timing_out",
        "cancelled_by",
    ]
    | FailureReason
)

ACTIVE_MAX = 1000
LATEST_MAX = 50

_queries = sql.load("run_list")


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as lists show it."""

    id: str
    pipeline: str
    status: Status = "PENDING"
    reason: Reason | None = "waiting_for_slot"
    """Why it is in this status; None when the status says it all."""
    exit_code: int | None = None
    trigger: Trigger
    actor: str
    attempt: int = 0
    requested_at: dt.datetime
    started_at: dt.datetime | None = None
    """When the script began, by the engine's clock."""
    ended_at: dt.datetime | None = None
    """When the run was over."""
    duration_ms: int | None = None
    """Script time, without set-up."""
    lines: int = 0
    progress_done: float | None = None
    progress_total: float | None = None
    progress_text: str = ""
    position: int
    """Of the request: the order of the list, and its cursor."""
    last_position: int


def _topics(run: str, row: RunRow) -> Iterable[str]:
    return "runs", f"run-{run}", f"pipeline-{row.pipeline}"


RUN_LIST = Projector("run_list", version=1, row=RunRow, key=stream_key, topics=_topics)


@RUN_LIST.begins(RunRequested)
def _(recorded: Recorded[RunRequested], _: RunRow | None) -> RunRow:
    return RunRow(
        id=recorded.stream.key,
        pipeline=recorded.event.pipeline,
        trigger=recorded.event.trigger,
        actor=recorded.meta.actor,
        requested_at=recorded.at,
        position=recorded.position,
        last_position=recorded.position,
    )


@RUN_LIST.on(AttemptBegun)
def _(recorded: Recorded[AttemptBegun], row: RunRow) -> RunRow:
    return replace(
        row,
        status="RUNNING",
        reason="starting",
        attempt=recorded.event.attempt,
        started_at=None,
        duration_ms=None,
        exit_code=None,
        progress_done=None,
        progress_total=None,
        progress_text="",
        last_position=recorded.position,
    )


@RUN_LIST.on(SetupStarted)
def _(recorded: Recorded[SetupStarted], row: RunRow) -> RunRow:
    return replace(row, reason="installing_dependencies", last_position=recorded.position)


@RUN_LIST.on(SetupFinished)
def _(recorded: Recorded[SetupFinished], row: RunRow) -> RunRow:
    reason = "starting" if row.reason == "installing_dependencies" else row.reason
    return replace(row, reason=reason, last_position=recorded.position)


@RUN_LIST.on(ContainerStarted)
def _(recorded: Recorded[ContainerStarted], row: RunRow) -> RunRow:
    reason = row.reason if row.reason == "cancelling" else None
    return replace(row, reason=reason, started_at=recorded.event.started_at, last_position=recorded.position)


@RUN_LIST.on(Progressed)
def _(recorded: Recorded[Progressed], row: RunRow) -> RunRow:
    return replace(
        row,
        progress_done=recorded.event.done,
        progress_total=recorded.event.total,
        progress_text=recorded.event.text,
        last_position=recorded.position,
    )


@RUN_LIST.on(CancelRequested)
def _(recorded: Recorded[CancelRequested], row: RunRow) -> RunRow:
    return replace(row, reason="cancelling", last_position=recorded.position)


@RUN_LIST.on(TimedOut)
def _(recorded: Recorded[TimedOut], row: RunRow) -> RunRow:
    return replace(row, reason="timing_out", last_position=recorded.position)


@RUN_LIST.on(ContainerExited)
def _(recorded: Recorded[ContainerExited], row: RunRow) -> RunRow:
    exited = recorded.event
    return replace(
        row,
        exit_code=exited.exit_code,
        lines=exited.lines,
        duration_ms=None if row.started_at is None else milliseconds(row.started_at, exited.finished_at),
        last_position=recorded.position,
    )


@RUN_LIST.on(RunSucceeded)
def _(recorded: Recorded[RunSucceeded], row: RunRow) -> RunRow:
    return replace(row, status="SUCCESS", reason=None, ended_at=recorded.at, last_position=recorded.position)


@RUN_LIST.on(RunFailed)
def _(recorded: Recorded[RunFailed], row: RunRow) -> RunRow:
    return replace(
        row,
        status="FAILED",
        reason=recorded.event.reason,
        exit_code=recorded.event.exit_code,
        ended_at=recorded.at,
        last_position=recorded.position,
    )


@RUN_LIST.on(RunCancelled)
def _(recorded: Recorded[RunCancelled], row: RunRow) -> RunRow:
    return replace(
        row,
        status="CANCELLED",
        reason="cancelled_by",
        exit_code=recorded.event.exit_code,
        ended_at=recorded.at,
        last_position=recorded.position,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """How many runs are not over."""

    waiting: int
    running: int


async def one(database: Database, run: str) -> RunRow:
    """One run; raises NotFound."""
    async with database.acquire() as connection:
        found = await connection.fetchrow(_queries.one, run)
    if found is None:
        raise NotFound(f"There is no run {run}.")
    return RunRow(**found)


async def at_positions(connection: Connection, positions: Sequence[int]) -> tuple[RunRow, ...]:
    """The runs requested at these positions, newest first."""
    return tuple(RunRow(**row) for row in await connection.fetch(_queries.rows, positions))


async def active(database: Database) -> tuple[RunRow, ...]:
    """Runs that wait or are under way, in the order they were requested; at most ACTIVE_MAX."""
    async with database.acquire() as connection:
        found = await connection.fetch(_queries.active, ACTIVE_MAX)
        rows = await at_positions(connection, [row["position"] for row in found])
    return rows[::-1]


async def latest_per_pipeline(
    database: Database, names: Sequence[str], count: int
) -> Mapping[str, tuple[RunRow, ...]]:
    """The last `count` runs of each pipeline (at most LATEST_MAX), newest first; none is an answer."""
    async with database.acquire() as connection:
        found = await connection.fetch(_queries.latest_of_pipelines, names, min(count, LATEST_MAX))
        rows = await at_positions(connection, [row["position"] for row in found])
    latest: dict[str, list[RunRow]] = {name: [] for name in names}
    for row in rows:
        latest[row.pipeline].append(row)
    return {name: tuple(runs) for name, runs in latest.items()}


async def counts(database: Database) -> Counts:
    """How many runs wait and how many are under way."""
    async with database.acquire() as connection:
        [found] = await connection.fetch(_queries.counts)
    return Counts(found["waiting"], found["running"])


async def ahead(database: Database, row: RunRow) -> int:
    """How many waiting runs were requested before this one."""
    async with database.acquire() as connection:
        return int(await connection.fetchval(_queries.ahead, row.position))
