"""How fast read models are built from the log again: each alone, and all in one pass."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import tempfile
import time
from pathlib import Path

from bench.figure import report
from events import run
from events.run import (
    AttemptBegun,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    Progressed,
    RunEvent,
    RunFailed,
    RunRequested,
    RunSucceeded,
    SetupFinished,
    StepEntered,
)
from events.store import EventStore
from events.uuid7 import uuid7
from events.wake import Wake
from projections import PROJECTORS
from projections.rebuild import rebuild
from sql.database import Database
from sql.embedded import EmbeddedPostgres
from sql.migrate import migrate

EVENTS = int(os.environ.get("BENCH_EVENTS", "300000"))
RUNS_AT_ONCE = 200
ROUNDS = 3
GOAL_PER_SECOND = 100_000


def history(number: int, at: dt.datetime) -> tuple[RunEvent, ...]:
    """The life of one run."""
    request = RunRequested(
        pipeline=f"pipeline-{number % 50}",
        snapshot=f"{number % 50:064x}",
        entry="main.py",
        requirements=("pandas==2.3.3", "httpx"),
        env={"REGION": "eu-central", "BATCH": str(number)},
        timeout_seconds=600.0,
        trigger="api",
    )
    end = (
        RunFailed(attempt=1, reason="exit_code", exit_code=1) if number % 10 == 0 else RunSucceeded(attempt=1)
    )
    return (
        request,
        AttemptBegun(attempt=1, container=f"ff-0123abcd-{number:032x}-1"),
        SetupFinished(attempt=1, environment=f"{7:064x}", cached=True, seconds=0.004, packages=12),
        ContainerStarted(attempt=1, container_id=f"{number:064x}", image=f"sha256:{9:064x}", started_at=at),
        *(Progressed(attempt=1, done=done, total=3, text="Syncing") for done in (1, 2, 3)),
        StepEntered(attempt=1, name="upload"),
        ContainerExited(
            attempt=1,
            exit_code=int(number % 10 == 0),
            out_of_memory=False,
            finished_at=at,
            lines=120,
            bytes=9000,
        ),
        end,
        ContainerRemoved(attempt=1),
    )


async def fill(store: EventStore, events: int) -> None:
    """Append whole runs, two hundred side by side with their events interleaved."""
    at = dt.datetime.now(dt.UTC)
    number = 0
    while events > 0:
        runs = [(str(uuid7()), history(number + place, at)) for place in range(RUNS_AT_ONCE)]
        number += RUNS_AT_ONCE
        for place in range(len(runs[0][1])):
            await asyncio.gather(
                *(store.append(run.stream(key), [life[place]], expected=place) for key, life in runs)
            )
        events -= sum(len(life) for _, life in runs)


async def seconds(database: Database, *names: str) -> tuple[float, int]:
    """The best of some rounds, and the number of events projected."""
    best, events = float("inf"), 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        events = await rebuild(database, *names)
        best = min(best, time.perf_counter() - began)
    return best, events


async def measure(dsn: str) -> None:
    """Fill the log and build its read models."""
    await migrate(dsn)
    database = await Database.open(dsn)
    async with Wake(database) as wake, EventStore(database, wake) as store:
        await fill(store, EVENTS)
    names = [projector.name for projector in PROJECTORS]
    for name, chosen in [("all", names), *((name, [name]) for name in names)]:
        took, events = await seconds(database, *chosen)
        report(
            f"rebuild_{name}_events_per_second",
            EVENTS / took,
            GOAL_PER_SECOND,
            better="higher",
            unit="events/s",
            log_events=EVENTS,
            projected_events=events,
            seconds=round(took, 3),
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
