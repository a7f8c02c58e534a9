"""What happened to one run? Everything its page shows, but for the log itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

import sql
from events.base import Recorded
from events.errors import NotFound
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    LogGapDeclared,
    Progressed,
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
from projections.projector import Projector, stream_key
from projections.run_list import Reason, Status
from projections.run_parts import Attempt, Gap, Setup, Signalled, Stop
from sql.database import Database

_queries = sql.load("run_detail")


class Progress(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How far the script says it is."""

    done: float
    total: float | None
    text: str
    at: dt.datetime


class RunDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One run, as its page shows it."""

    id: str
    pipeline: str
    status: Status = "PENDING"
    reason: Reason | None = "waiting_for_slot"
    detail: str = ""
    """The engine's or uv's own words, for reasons that have some."""
    exit_code: int | None = None
    actor: str
    cancelled_by: str | None = None
    requested_at: dt.datetime
    ended_at: dt.datetime | None = None
    request: RunRequested
    attempts: tuple[Attempt, ...] = ()
    stop: Stop | None = None
    progress: Progress | None = None
    step: str | None = None
    gaps: tuple[Gap, ...] = ()
    lines: int = 0
    """Lines in the log, known when a container has exited."""
    bytes: int = 0
    position: int
    """Of the request."""
    last_position: int

    @property
    def attempt(self) -> Attempt | None:
        """The present attempt, or the last one."""
        return self.attempts[-1] if self.attempts else None


def _topics(run: str, _: RunDetail) -> Iterable[str]:
    return (f"run-{run}",)


RUN_DETAIL = Projector(
    "run_detail", version=1, row=RunDetail, key=stream_key, topics=_topics, kept_as="document"
)


async def one(database: Database, run: str) -> RunDetail:
    """Everything about one run; raises NotFound."""
    async with database.acquire() as connection:
        found = await connection.fetchval(_queries.one, run)
    if found is None:
        raise NotFound(f"There is no run {run}.")
    return _DECODER.decode(found)


_DECODER = msgspec.json.Decoder(RunDetail)


@RUN_DETAIL.begins(RunRequested)
def _(recorded: Recorded[RunRequested], _: RunDetail | None) -> RunDetail:
    return RunDetail(
        id=recorded.stream.key,
        pipeline=recorded.event.pipeline,
        actor=recorded.meta.actor,
        requested_at=recorded.at,
        request=recorded.event,
        position=recorded.position,
        last_position=recorded.position,
    )


@RUN_DETAIL.on(AttemptBegun)
def _(recorded: Recorded[AttemptBegun], row: RunDetail) -> RunDetail:
    begun = recorded.event
    return replace(
        row,
        status="RUNNING",
        reason="starting",
        exit_code=None,
        progress=None,
        step=None,
        attempts=(
            *row.attempts,
            Attempt(number=begun.attempt, container=begun.container, begun_at=recorded.at),
        ),
        last_position=recorded.position,
    )


@RUN_DETAIL.on(SetupStarted)
def _(recorded: Recorded[SetupStarted], row: RunDetail) -> RunDetail:
    return replace(
        row,
        reason="installing_dependencies",
        attempts=_last(row, setup=Setup(started_at=recorded.at)),
        last_position=recorded.position,
    )


@RUN_DETAIL.on(SetupFinished)
def _(recorded: Recorded[SetupFinished], row: RunDetail) -> RunDetail:
    ready = recorded.event
    before = row.attempts[-1].setup or Setup()
    setup = replace(
        before,
        finished_at=recorded.at,
        environment=ready.environment,
        cached=ready.cached,
        seconds=ready.seconds,
        packages=ready.packages,
    )
    reason = "starting" if row.reason == "installing_dependencies" else row.reason
    return replace(row, reason=reason, attempts=_last(row, setup=setup), last_position=recorded.position)


@RUN_DETAIL.on(ContainerStarted)
def _(recorded: Recorded[ContainerStarted], row: RunDetail) -> RunDetail:
    started = recorded.event
    return replace(
        row,
        reason=row.reason if row.reason == "cancelling" else None,
        attempts=_last(
            row,
            container_id=started.container_id,
            image=started.image,
            started_at=started.started_at,
            deadline=started.deadline,
        ),
        last_position=recorded.position,
    )


@RUN_DETAIL.on(Progressed)
def _(recorded: Recorded[Progressed], row: RunDetail) -> RunDetail:
    said = recorded.event
    progress = Progress(said.done, said.total, said.text, recorded.at)
    return replace(row, progress=progress, last_position=recorded.position)


@RUN_DETAIL.on(StepEntered)
def _(recorded: Recorded[StepEntered], row: RunDetail) -> RunDetail:
    return replace(row, step=recorded.event.name, last_position=recorded.position)


@RUN_DETAIL.on(CancelRequested)
def _(recorded: Recorded[CancelRequested], row: RunDetail) -> RunDetail:
    stop = Stop("cancelled", recorded.event.by, recorded.at)
    return replace(row, reason="cancelling", stop=stop, last_position=recorded.position)


@RUN_DETAIL.on(TimedOut)
def _(recorded: Recorded[TimedOut], row: RunDetail) -> RunDetail:
    stop = Stop("timeout", recorded.meta.actor, recorded.at)
    return replace(row, reason="timing_out", stop=stop, last_position=recorded.position)


@RUN_DETAIL.on(StopSignalled)
def _(recorded: Recorded[StopSignalled], row: RunDetail) -> RunDetail:
    if row.stop is None:
        return row
    signalled = Signalled(recorded.event.attempt, recorded.event.signal, recorded.at)
    stop = replace(row.stop, signals=(*row.stop.signals, signalled))
    return replace(row, stop=stop, last_position=recorded.position)


@RUN_DETAIL.on(LogGapDeclared)
def _(recorded: Recorded[LogGapDeclared], row: RunDetail) -> RunDetail:
    missing = recorded.event
    gap = Gap(missing.attempt, missing.cause, missing.after_line, missing.lines, missing.bytes)
    return replace(row, gaps=(*row.gaps, gap), last_position=recorded.position)


@RUN_DETAIL.on(ContainerExited)
def _(recorded: Recorded[ContainerExited], row: RunDetail) -> RunDetail:
    exited = recorded.event
    return replace(
        row,
        exit_code=exited.exit_code,
        lines=exited.lines,
        bytes=exited.bytes,
        attempts=_last(
            row,
            finished_at=exited.finished_at,
            exit_code=exited.exit_code,
            out_of_memory=exited.out_of_memory,
        ),
        last_position=recorded.position,
    )


@RUN_DETAIL.on(RunSucceeded)
def _(recorded: Recorded[RunSucceeded], row: RunDetail) -> RunDetail:
    return replace(row, status="SUCCESS", reason=None, ended_at=recorded.at, last_position=recorded.position)


@RUN_DETAIL.on(RunFailed)
def _(recorded: Recorded[RunFailed], row: RunDetail) -> RunDetail:
    failed = recorded.event
    return replace(
        row,
        status="FAILED",
        reason=failed.reason,
        detail=failed.detail,
        exit_code=failed.exit_code,
        ended_at=recorded.at,
        last_position=recorded.position,
    )


@RUN_DETAIL.on(RunCancelled)
def _(recorded: Recorded[RunCancelled], row: RunDetail) -> RunDetail:
    return replace(
        row,
        status="CANCELLED",
        reason="cancelled_by",
        cancelled_by=recorded.event.by,
        exit_code=recorded.event.exit_code,
        ended_at=recorded.at,
        last_position=recorded.position,
    )


@RUN_DETAIL.on(ContainerRemoved)
def _(recorded: Recorded[ContainerRemoved], row: RunDetail) -> RunDetail:
    return replace(row, attempts=_last(row, removed_at=recorded.at), last_position=recorded.position)


def _last(row: RunDetail, **changes: object) -> tuple[Attempt, ...]:
    return (*row.attempts[:-1], replace(row.attempts[-1], **changes))
