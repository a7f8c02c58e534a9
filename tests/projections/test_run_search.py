"""Runs found by filters, newest first, page by page."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.errors import NotFound
from projections import run_list
from projections.pipeline_list import PIPELINE_LIST, Pipeline
from projections.rows import Rows
from projections.run_list import RUN_LIST, Reason, RunRow, Status
from projections.run_search import ROWS_MAX, STATUSES, Filters, page
from sql.database import Database
from tests.projections.projecting import START

PIPELINES = ("sales", "Sales_report", "weather", "50%_off")
REASONS: dict[Status, tuple[Reason | None, ...]] = {
    "PENDING": ("waiting_for_slot",),
    "RUNNING": ("starting", None),
    "SUCCESS": (None,),
    "FAILED": ("exit_code", "timeout"),
    "CANCELLED": ("cancelled_by",),
}


def some_rows(count: int) -> list[RunRow]:
    """Runs in the order of their requests, of every kind."""
    chance = random.Random(count)  # noqa: S311
    rows = []
    for number in range(1, count + 1):
        status = chance.choice(STATUSES)
        rows.append(
            RunRow(
                id=f"0198{number % 7:04x}-{number:04x}-7000-8000-000000000000",
                pipeline=chance.choice(PIPELINES),
                status=status,
                reason=chance.choice(REASONS[status]),
                trigger="api",
                actor="ann",
                requested_at=START + dt.timedelta(minutes=number),
                position=number * 3,
                last_position=number * 3 + 1,
            )
        )
    return rows


ROWS = some_rows(300)


@pytest.fixture
async def shown(database: Database) -> Database:
    known = [Pipeline(name=name, updated_at=START, position=place) for place, name in enumerate(PIPELINES)]
    async with database.acquire() as connection:
        await Rows(RUN_LIST).save(connection, {row.id: row for row in ROWS})
        await Rows(PIPELINE_LIST).save(connection, {row.name: row for row in known})
    return database


def fits(row: RunRow, filters: Filters) -> bool:
    """The filters' meaning, said another way."""
    q = filters.q.strip().lower()
    by_id = len(q) >= 8 and set(q) <= set("0123456789abcdef-")
    return (
        (filters.pipeline is None or row.pipeline == filters.pipeline)
        and (not filters.statuses or row.status in filters.statuses)
        and (filters.reason is None or row.reason == filters.reason)
        and (filters.since is None or row.requested_at >= filters.since)
        and (filters.until is None or row.requested_at <= filters.until)
        and (row.id.startswith(q) if by_id else q in row.pipeline.lower())
    )


moments = st.integers(-5, 305).map(lambda number: START + dt.timedelta(minutes=number))
queries = st.sampled_from(
    ["", "sales", "SALES", " report ", "%", "_", "zzz", "01980003", ROWS[40].id, ROWS[40].id.upper(), "0198"]
)
filters_asked = st.builds(
    Filters,
    pipeline=st.none() | st.sampled_from([*PIPELINES, "nobody"]),
    statuses=st.frozensets(st.sampled_from(STATUSES)),
    reason=st.none() | st.sampled_from(["exit_code", "timeout", "cancelled_by", "lost"]),
    since=st.none() | moments,
    until=st.none() | moments,
    q=queries,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=filters_asked, limit=st.integers(1, 60))
async def test_whatever_is_asked_every_fitting_run_comes_once_newest_first(
    filters: Filters, limit: int, shown: Database
) -> None:
    found: list[RunRow] = []
    cursor: int | None = None
    while True:
        this = await page(shown, filters, cursor=cursor, limit=limit)
        assert len(this.rows) <= limit
        found += this.rows
        cursor = this.next
        if cursor is None:
            break
        assert len(this.rows) == limit

    assert found == [row for row in reversed(ROWS) if fits(row, filters)]


async def test_a_page_has_a_limit(shown: Database) -> None:
    assert len((await page(shown, limit=10_000)).rows) == ROWS_MAX
    assert len((await page(shown, limit=-1)).rows) == 1


async def test_runs_that_are_not_over_come_in_the_order_they_were_requested(shown: Database) -> None:
    expected = [row for row in ROWS if row.status in {"PENDING", "RUNNING"}]

    assert list(await run_list.active(shown)) == expected
    counts = await run_list.counts(shown)
    assert counts.waiting + counts.running == len(expected)
    assert counts.waiting == sum(row.status == "PENDING" for row in ROWS)


async def test_the_latest_runs_of_each_pipeline_are_found_newest_first(shown: Database) -> None:
    latest = await run_list.latest_per_pipeline(shown, ["sales", "weather", "nobody"], 5)

    assert latest["nobody"] == ()
    for name in ("sales", "weather"):
        assert list(latest[name]) == [row for row in reversed(ROWS) if row.pipeline == name][:5]


async def test_a_waiting_run_knows_how_many_are_ahead(shown: Database) -> None:
    waiting = [row for row in ROWS if row.status == "PENDING"]

    assert await run_list.ahead(shown, waiting[0]) == 0
    assert await run_list.ahead(shown, waiting[7]) == 7


async def test_one_run_is_found_by_its_id(shown: Database) -> None:
    assert await run_list.one(shown, ROWS[3].id) == ROWS[3]
    with pytest.raises(NotFound, match="There is no run nobody"):
        await run_list.one(shown, "nobody")
