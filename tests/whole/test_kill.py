"""Killed at any moment (kill -9), it loses no line, doubles no container and ends every run once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from bench.program import Program, finished, line_beyond
from tests.whole.conftest import containers

LINES = 400_000
TRIALS = 10
STEP_LINES = 36_000
DEADLINE_SECONDS = 30


async def events_of(client: httpx.AsyncClient, run: str) -> list[str]:
    answer = (await client.get("/api/events", params={"stream": f"run-{run}", "limit": 1000})).json()
    return [event["type"] for event in answer["events"]]


async def removed(client: httpx.AsyncClient, run: str) -> bool:
    """Whether the run's container goes, in time, and the log says so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while "run.container_removed" not in await events_of(client, run):
            pass
    return containers(run) == []


async def numbers_of(client: httpx.AsyncClient, run: str) -> list[int]:
    found = list[int]()
    async with client.stream("GET", f"/api/runs/{run}/logs") as answer:
        async for line in answer.aiter_lines():
            found.append(int(line[5:14]))
    return found


@pytest.mark.slow
async def test_ten_kills_in_the_middle_of_a_flood_lose_and_double_nothing(tmp_path: Path) -> None:
    running = Program(tmp_path / "data")
    await running.start()
    await running.ready()
    try:
        async with httpx.AsyncClient(base_url=running.url, timeout=90) as client:
            for trial in range(TRIALS):
                asked = await client.post("/api/pipelines/flood/run", json={"env": {"LINES": str(LINES)}})
                run = asked.json()["id"]
                if trial:
                    await line_beyond(client, run, trial * STEP_LINES)
                await running.kill()
                await running.start()
                await running.ready()

                over = await finished(client, run)

                where = f"killed after line {trial * STEP_LINES}"
                assert over["status"] == "SUCCESS", where
                assert await numbers_of(client, run) == list(range(LINES)), where
                types = await events_of(client, run)
                assert types.count("run.container_started") == 1, where
                assert types.count("run.succeeded") == 1, where
                assert types.count("run.attempt_begun") == 1, where
                assert await removed(client, run), where
    finally:
        await running.stop()


async def test_a_stopped_program_leaves_the_container_running_and_takes_it_up_again(program: Program) -> None:
    async with httpx.AsyncClient(base_url=program.url, timeout=90) as client:
        run = (await client.post("/api/pipelines/ticker/run")).json()["id"]
        while (await client.get(f"/api/runs/{run}")).json()["status"] != "RUNNING":
            pass
        name = containers(run)

        await program.stop()
        left = containers(run)
        await program.start()
        await program.ready()
        cancelled = await client.post(f"/api/runs/{run}/cancel")
        over = await finished(client, run)

        assert left == name != []
        assert cancelled.is_success
        assert over["status"] == "CANCELLED"
        raw = (await client.get(f"/api/runs/{run}/logs")).text.splitlines()
        assert raw == [f"tick {number}" for number in range(len(raw))]
