"""From the start after a kill -9 to the first new line of a run that went on meanwhile."""

from __future__ import annotations

import time

import httpx

from bench.figure import median, report
from bench.program import Program, line_beyond, program

ROUNDS = 3


async def crash(running: Program, client: httpx.AsyncClient, run: str) -> float:
    """Kill, start again, and wait for a line printed after the kill."""
    await line_beyond(client, run, 0)
    await running.kill()
    began = time.perf_counter()
    await running.start()
    await running.ready()
    last = int((await client.get(f"/api/runs/{run}")).json()["lines"] or 0)
    await line_beyond(client, run, last)
    return time.perf_counter() - began


async def main() -> None:
    """A ticking run, three crashes."""
    async with program() as running, httpx.AsyncClient(base_url=running.url, timeout=60) as client:
        run = (await client.post("/api/pipelines/ticker/run")).json()["id"]
        seconds = [await crash(running, client, run) for _ in range(ROUNDS)]
        await client.post(f"/api/runs/{run}/cancel")
        await client.get(f"/api/runs/{run}", params={"wait": 30})
    report(
        "kill_to_streaming_again",
        median(seconds),
        3,
        better="lower",
        unit="s",
        rounds=ROUNDS,
        worst=round(max(seconds), 2),
    )
