"""The database and the engine go away in the middle of a run; it does not notice, and no line is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from bench.program import Program, finished, line_beyond
from tests.fastflow.engine.proxy import cutting

DEADLINE_SECONDS = 60


@asynccontextmanager
async def started(running: Program) -> AsyncIterator[httpx.AsyncClient]:
    await running.start()
    try:
        await running.ready()
        async with httpx.AsyncClient(base_url=running.url, timeout=90) as client:
            yield client
    finally:
        await running.stop()


async def test_the_engine_goes_away_and_comes_back(tmp_path: Path) -> None:
    away = cutting(tmp_path)
    address, _ = await away.__aenter__()
    async with started(Program(tmp_path / "data", DOCKER_HOST=address)) as client:
        run = (await client.post("/api/pipelines/ticker/run")).json()["id"]
        await line_beyond(client, run, 10)

        await away.__aexit__(None, None, None)
        await eventually(lambda: part_is(client, "engine", "away"))
        page = (await client.get("/")).text
        waiting = (await client.post("/api/pipelines/noop/run")).json()["id"]
        assert (await client.get(f"/api/runs/{run}")).json()["status"] == "RUNNING"
        async with cutting(tmp_path):
            await eventually(lambda: part_is(client, "engine", "ok"))

            assert "Container engine away" in page
            assert (await finished(client, waiting))["status"] == "SUCCESS"
            await client.post(f"/api/runs/{run}/cancel")
            assert (await finished(client, run))["status"] == "CANCELLED"
            await every_tick_is_there(client, run)


async def test_the_database_is_killed_and_comes_back(tmp_path: Path) -> None:
    running = Program(tmp_path / "data")
    async with started(running) as client:
        run = (await client.post("/api/pipelines/ticker/run")).json()["id"]
        last = await line_beyond(client, run, 10)

        os.kill(postmaster(running), signal.SIGKILL)

        await eventually(lambda: has_line_beyond(client, run, last + 100))
        assert (await client.post(f"/api/runs/{run}/cancel")).is_success
        assert (await finished(client, run))["status"] == "CANCELLED"
        await every_tick_is_there(client, run)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await holds():
            pass


def postmaster(running: Program) -> int:
    """The process of the program's own PostgreSQL."""
    found = next((running.data / "postgres").resolve().rglob("postmaster.pid"))
    return int(found.read_text().splitlines()[0])


async def part_is(client: httpx.AsyncClient, part: str, status: str) -> bool:
    return bool((await client.get("/health")).json()["parts"][part]["status"] == status)


async def has_line_beyond(client: httpx.AsyncClient, run: str, number: int) -> bool:
    answer = await client.get(f"/api/runs/{run}/logs", params={"from": number + 1, "count": 1})
    return answer.is_success and bool(answer.text)


async def every_tick_is_there(client: httpx.AsyncClient, run: str) -> None:
    lines = (await client.get(f"/api/runs/{run}/logs")).text.splitlines()
    assert lines == [f"tick {number}" for number in range(len(lines))]
    assert len(lines) > 20
