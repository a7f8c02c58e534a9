"""How fast commands become durable events, and how fast lines are stored, in one process."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figure import percentile, report
from events import run
from events.run import RunRequested
from events.store import EventStore
from events.uuid7 import uuid7
from events.verify import verify
from events.wake import Wake
from fastflow.commands import Commands
from fastflow.domain.run import RequestRun
from fastflow.domain.run_rules import RUN
from sql.database import Database
from sql.embedded import EmbeddedPostgres
from sql.migrate import migrate

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
ASKERS = 100
RECORDERS = 20
CHUNK_LINES = 330
CHUNKS_AT_ONCE = 4
CHUNK_BYTES = 9_000
"""About what zstd makes of 330 lines of 98 bytes."""
COMMANDS_GOAL, LINES_GOAL = 10_000, 1_000_000


async def ask(commands: Commands) -> int:
    """One command: a new run."""
    request = RunRequested(pipeline="sales", snapshot=f"{7:064x}", entry="main.py", trigger="api")
    await commands.handle(RUN, run.stream(str(uuid7())), RequestRun(request))
    return 1


class Recorder:
    """Stores incompressible chunks of one log, some at a time."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.run = str(uuid7())
        self.last = 0

    async def record(self) -> int:
        """The next chunks."""
        firsts = [self.last + 1 + place * CHUNK_LINES for place in range(CHUNKS_AT_ONCE)]
        self.last += CHUNKS_AT_ONCE * CHUNK_LINES
        payload = os.urandom(CHUNK_BYTES)
        await asyncio.gather(
            *(
                self.store.append_chunk(self.run, first, first + CHUNK_LINES - 1, {"attempt": 1}, payload)
                for first in firsts
            )
        )
        return CHUNKS_AT_ONCE * CHUNK_LINES


async def rate(*actions: Callable[[], Awaitable[int]]) -> tuple[float, list[float]]:
    """What the actions did in a second, each repeated beside the others, and how long each took."""
    began = time.perf_counter()
    done = 0
    took: list[float] = []

    async def repeat(action: Callable[[], Awaitable[int]]) -> None:
        nonlocal done
        while (start := time.perf_counter()) < began + SECONDS:
            count = await action()
            done += count
            took.append(time.perf_counter() - start)

    await asyncio.gather(*map(repeat, actions))
    return done / (time.perf_counter() - began), took


async def measure(dsn: str) -> None:
    """Commands by many, commands by one, lines."""
    await migrate(dsn)
    database = await Database.open(dsn)
    async with Wake(database) as wake, EventStore(database, wake) as store:
        commands = Commands(store)
        for name, askers, goal in (("many", ASKERS, COMMANDS_GOAL), ("one", 1, 0)):
            per_second, took = await rate(*[lambda: ask(commands)] * askers)
            report(
                f"append_by_{name}_commands_per_second",
                per_second,
                goal,
                better="higher",
                unit="durable events/s",
                asking_at_once=askers,
                p50_ms=round(percentile(took, 50) * 1000, 2),
                p99_ms=round(percentile(took, 99) * 1000, 2),
            )
        per_second, _ = await rate(*(Recorder(store).record for _ in range(RECORDERS)))
        report("append_lines_per_second", per_second, LINES_GOAL, better="higher", unit="lines/s")
        report("append_log_problems", len(await verify(database)), 0, better="lower", unit="problems")
    await database.close()


async def main() -> None:
    """Measure on a server of our own."""
    with tempfile.TemporaryDirectory(prefix="fastflow-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            await measure(await server.start())
        finally:
            await server.stop()
