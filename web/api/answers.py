"""The API's shapes: what a program reads, field by field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from events.pipeline import Problem
from projections.pipeline_list import Pipeline, PipelineSummary
from projections.run_detail import Progress, RunDetail
from projections.run_list import RunRow

_ENCODER = msgspec.json.Encoder()


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of JSON."""
    return Response(_ENCODER.encode(value), status, headers, media_type="application/json")


class RunItem(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as `GET /api/runs` lists it."""

    id: str
    pipeline: str
    status: str
    reason: str | None
    exit_code: int | None
    trigger: str
    attempt: int
    requested_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    duration_seconds: float | None
    """Script time, without set-up."""
    lines: int


class RunAnswer(RunItem, frozen=True, kw_only=True):
    """One run, as `GET /api/runs/{id}` tells it."""

    detail: str
    actor: str
    cancelled_by: str | None
    waiting_seconds: float | None
    """From the request to the first attempt."""
    setup_seconds: float | None
    """Building its environment; None when there was nothing to build."""
    progress: Progress | None
    step: str | None
    env: list[str]
    """Names only: a value may be a secret."""
    snapshot: str
    entry: str
    bytes: int
    gaps: list[Any]
    position: int


def run_item(row: RunRow) -> RunItem:
    """A row of the list."""
    return RunItem(
        id=row.id,
        pipeline=row.pipeline,
        status=row.status,
        reason=row.reason,
        exit_code=row.exit_code,
        trigger=row.trigger,
        attempt=row.attempt,
        requested_at=row.requested_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_seconds=_seconds(row.duration_ms),
        lines=row.lines,
    )


def run_answer(run: RunDetail, lines: int) -> RunAnswer:
    """Everything about a run; `lines` counts also those of a script still printing."""
    first, last = (run.attempts[0], run.attempts[-1]) if run.attempts else (None, None)
    built = last.setup if last is not None and last.setup is not None and last.setup.started_at else None
    return RunAnswer(
        id=run.id,
        pipeline=run.pipeline,
        status=run.status,
        reason=run.reason,
        exit_code=run.exit_code,
        trigger=run.request.trigger,
        attempt=last.number if last else 0,
        requested_at=run.requested_at,
        started_at=last.started_at if last else None,
        ended_at=run.ended_at,
        duration_seconds=_seconds(last.script_milliseconds if last else None),
        lines=lines,
        detail=run.detail,
        actor=run.actor,
        cancelled_by=run.cancelled_by,
        waiting_seconds=(first.begun_at - run.requested_at).total_seconds() if first else None,
        setup_seconds=built.seconds if built else None,
        progress=run.progress,
        step=run.step,
        env=sorted(run.request.env),
        snapshot=run.request.snapshot,
        entry=run.request.entry,
        bytes=run.bytes,
        gaps=list(run.gaps),
        position=run.last_position,
    )


class PipelineItem(msgspec.Struct, frozen=True, kw_only=True):
    """One pipeline, as `GET /api/pipelines` lists it."""

    name: str
    description: str
    tags: tuple[str, ...]
    enabled: bool
    gone: bool
    can_run: bool
    updated_at: dt.datetime
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class PipelineAnswer(PipelineItem, frozen=True, kw_only=True):
    """One pipeline, as `GET /api/pipelines/{name}` tells it."""

    form: str | None
    entry: str | None
    snapshot: str | None
    python_version: str | None
    requirements: tuple[str, ...]
    env: dict[str, str]
    cpu_limit: float | None
    memory_limit_bytes: int | None
    timeout_seconds: float | None
    network: str
    configuration: dict[str, Any]


def pipeline_item(found: PipelineSummary) -> PipelineItem:
    """A row of the list."""
    return PipelineItem(
        name=found.name,
        description=found.description,
        tags=found.tags,
        enabled=found.enabled,
        gone=found.gone,
        can_run=found.can_run,
        updated_at=found.updated_at,
        problems=found.problems,
        warnings=found.warnings,
    )


def pipeline_answer(found: Pipeline) -> PipelineAnswer:
    """Everything about a pipeline but its source."""
    return PipelineAnswer(
        name=found.name,
        description=found.description,
        tags=found.tags,
        enabled=found.enabled,
        gone=found.gone,
        can_run=found.enabled and not found.gone and found.snapshot is not None,
        updated_at=found.updated_at,
        problems=found.problems,
        warnings=found.warnings,
        form=found.form,
        entry=found.entry,
        snapshot=found.snapshot,
        python_version=found.python_version,
        requirements=found.requirements,
        env=found.env,
        cpu_limit=found.cpu_limit,
        memory_limit_bytes=found.memory_limit_bytes,
        timeout_seconds=found.timeout_seconds,
        network=found.network,
        configuration=found.configuration,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
