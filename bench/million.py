"""How fast the dashboard and the run list answer when there are a million runs."""

from __future__ import annotations

import datetime as dt
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figure import percentile, report
from projections import activity, pipeline_list, run_list, run_search
from projections.activity import ACTIVITY, Minute
from projections.pipeline_list import PIPELINE_LIST, Pipeline
from projections.rows import Rows
from projections.run_list import RUN_LIST, Reason, RunRow, Status
from projections.run_search import Filters
from sql.database import Database
from sql.embedded import EmbeddedPostgres
from sql.migrate import migrate

RUNS = int(os.environ.get("BENCH_RUNS", "1000000"))
RUNS_UNDER_WAY = 10
RUNS_WAITING = 200
DAYS = 30
PIPELINES = [f"pipeline-{number:02}" for number in range(50)]
MARKS = 20
BATCH = 5000
ROUNDS = 300
GOAL_MS = 50.0

CHANCE = random.Random(20_260_301)  # noqa: S311  the same runs every time
END = dt.datetime.now(dt.UTC)
STEP = dt.timedelta(days=DAYS) / RUNS

REASONS: dict[Status, Reason] = {
    "FAILED": "exit_code",
    "CANCELLED": "cancelled_by",
    "PENDING": "waiting_for_slot",
}

Question = Callable[[], Awaitable[object]]


def row(number: int) -> RunRow:
    """One run; a few pipelines have most of them, and hardly any was cancelled."""
    at = END - (RUNS - number) * STEP
    status: Status = CHANCE.choices(run_search.STATUSES, [0, 0, 949, 50, 1])[0]
    if number > RUNS - RUNS_WAITING - RUNS_UNDER_WAY:
        status = "PENDING" if number > RUNS - RUNS_WAITING else "RUNNING"
    return RunRow(
        id=f"{int(at.timestamp() * 1000):012x}"[:8] + f"-{number:04x}-7000-8000-{number:012x}",
        pipeline=PIPELINES[min(49, int(CHANCE.expovariate(0.15)))],
        status=status,
        reason=REASONS.get(status),
        trigger="schedule",
        actor="system",
        requested_at=at,
        started_at=at,
        ended_at=None if status in {"PENDING", "RUNNING"} else at,
        duration_ms=1500,
        lines=120,
        position=number * 11,
        last_position=number * 11 + 10,
    )


async def fill(database: Database) -> None:
    """Write the read models as a month of work would leave them."""
    async with database.acquire() as connection:
        known = [
            Pipeline(name=name, snapshot="0" * 64, updated_at=END, position=place)
            for place, name in enumerate(PIPELINES)
        ]
        await Rows(PIPELINE_LIST).save(connection, {each.name: each for each in known})
        minutes = [
            Minute(minute=END - dt.timedelta(minutes=back), requested=23, succeeded=22, failed=1)
            for back in range(DAYS * 24 * 60)
        ]
        await Rows(ACTIVITY).save(connection, {str(each.minute): each for each in minutes})
        for first in range(1, RUNS + 1, BATCH):
            some = (row(number) for number in range(first, min(first + BATCH, RUNS + 1)))
            await Rows(RUN_LIST).save(connection, {each.id: each for each in some})


async def dashboard(database: Database) -> None:
    """Everything the front page asks."""
    names = [pipeline.name for pipeline in await pipeline_list.all(database)]
    await run_list.latest_per_pipeline(database, names, MARKS)
    await run_list.active(database)
    await run_list.counts(database)
    await activity.since(database, END - dt.timedelta(days=1))


def questions(database: Database) -> dict[str, Question]:
    """What pages ask, each time a little different."""

    def ask(filters: Callable[[], Filters]) -> Question:
        def question() -> Awaitable[object]:
            cursor = CHANCE.choice([None, CHANCE.randrange(RUNS * 11)])
            return run_search.page(database, filters(), cursor=cursor)

        return question

    def some() -> str:
        return CHANCE.choice(PIPELINES)

    def until() -> dt.datetime:
        return END - dt.timedelta(days=CHANCE.uniform(0, DAYS))

    return {
        "dashboard": lambda: dashboard(database),
        "list": ask(Filters),
        "list_of_status": ask(lambda: Filters(statuses=frozenset({CHANCE.choice(run_search.STATUSES)}))),
        "list_of_pipeline": ask(lambda: Filters(pipeline=some())),
        "list_of_pipeline_and_status": ask(
            lambda: Filters(pipeline=some(), statuses=frozenset({"CANCELLED", "FAILED"}))
        ),
        "list_of_reason": ask(
            lambda: Filters(reason=CHANCE.choice(["cancelled_by", "exit_code", "timeout"]))
        ),
        "list_of_reason_and_pipeline": ask(lambda: Filters(reason="cancelled_by", pipeline=some())),
        "list_until": ask(lambda: Filters(until=until(), statuses=frozenset({"FAILED"}))),
        "list_search_pipelines": ask(lambda: Filters(q=CHANCE.choice(["pipeline", "-1", "nothing"]))),
        "list_search_id": ask(lambda: Filters(q=row(CHANCE.randrange(1, RUNS)).id[:8])),
    }


async def measure(dsn: str) -> None:
    """Fill the read models and ask."""
    await migrate(dsn)
    database = await Database.open(dsn)
    await fill(database)
    for name, question in questions(database).items():
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await question()
            times.append((time.perf_counter() - began) * 1000)
        report(
            f"million_runs_{name}_p99",
            percentile(times, 99),
            GOAL_MS,
            better="lower",
            unit="ms",
            median_ms=round(percentile(times, 50), 2),
            runs=RUNS,
        )
    await database.close()


async def main() -> None:
    """Measure on a server of our own."""
    with tempfile.TemporaryDirectory(prefix="fastflow-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            await measure(await server.start())
        finally:
            await server.stop()
