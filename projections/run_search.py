"""The run list as a page asks for it: filtered, newest first, page by page."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

import sql
from projections.run_list import Reason, RunRow, Status, at_positions
from sql.database import Connection, Database

ROWS_MAX = 200
PIPELINES_SEARCHED_MAX = 100
RUN_ID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
"""The first eight digits of an id are its time to about a minute; fewer are no help."""
STATUSES: tuple[Status, ...] = ("PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED")
_BEYOND = 2**63 - 1

_queries = sql.load("run_list")


@dataclasses.dataclass(frozen=True, slots=True)
class Filters:
    """Which runs to show; what is None or empty does not matter."""

    pipeline: str | None = None
    statuses: frozenset[Status] = frozenset()
    reason: Reason | None = None
    """Why a run that is over ended so."""
    since: dt.datetime | None = None
    """Requested at this time or later."""
    until: dt.datetime | None = None
    """Requested at this time or earlier."""
    q: str = ""
    """The beginning of a run's id (eight digits or more), or part of a pipeline's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, and where the next page begins."""

    rows: tuple[RunRow, ...]
    next: int | None
    """The cursor of the next page; None when this is the last."""


async def page(
    database: Database, filters: Filters = Filters(), *, cursor: int | None = None, limit: int = 50
) -> RunPage:
    """The newest runs that fit, after the cursor of the page before; at most ROWS_MAX.

    Every question is a walk along an index that ends after `limit` rows, whatever the number of runs.
    """
    wanted = max(1, min(limit, ROWS_MAX))
    async with database.acquire() as connection:
        after, before = await _bounds(connection, filters)
        before = min(before, _BEYOND if cursor is None else cursor)
        positions = await _positions(connection, filters, (before, after, wanted + 1))
        rows = await at_positions(connection, positions[:wanted])
    return RunPage(rows, positions[wanted - 1] if len(positions) > wanted else None)


async def _bounds(connection: Connection, filters: Filters) -> tuple[int, int]:
    """Requests are in the order of their times, so a span of time is a span of positions."""
    after, before = 0, _BEYOND
    if filters.since is not None:
        first = await connection.fetchval(_queries.first_since, filters.since)
        after = _BEYOND if first is None else first
    if filters.until is not None:
        first = await connection.fetchval(_queries.first_after, filters.until)
        before = _BEYOND if first is None else first
    return after, before


async def _positions(connection: Connection, filters: Filters, span: tuple[int, int, int]) -> list[int]:
    pipelines = None if filters.pipeline is None else [filters.pipeline]
    statuses = sorted(filters.statuses)
    q = filters.q.strip()
    if RUN_ID_PREFIX.fullmatch(q.lower()):
        arguments = (q.lower(), statuses or None, filters.pipeline, filters.reason)
        return await _fetch(connection, _queries.of_id, *span, *arguments)
    if q:
        named = await connection.fetch(_queries.pipelines_named, q, PIPELINES_SEARCHED_MAX)
        found = [row["name"] for row in named]
        pipelines = found if pipelines is None else [name for name in found if name in pipelines]
    if filters.reason is not None:
        return await _fetch(
            connection, _queries.of_reason, *span, filters.reason, statuses or STATUSES, pipelines
        )
    if pipelines is not None and statuses:
        return await _fetch(connection, _queries.of_pipelines_and_statuses, *span, pipelines, statuses)
    if pipelines is not None:
        return await _fetch(connection, _queries.of_pipelines, *span, pipelines)
    if statuses:
        return await _fetch(connection, _queries.of_statuses, *span, statuses)
    return await _fetch(connection, _queries.any_of, *span)


async def _fetch(connection: Connection, text: str, *arguments: object) -> list[int]:
    return [row["position"] for row in await connection.fetch(text, *arguments)]
