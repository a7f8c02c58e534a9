"""From the start after a kill -9 to the first new line of a run that went on meanwhile."""

from __future__ import annotations

import time

import httpx
import msgspec

from bench.figure import median, report
from bench.program import Program, program

ROUNDS = 3


async def lines_beyond(client: httpx.AsyncClient, run: str, number: int) -> int:
    """Wait until the live log shows a line after `number`; that line's number."""
    headers = {"last-event-id": str(number)}
    async with client.stream(
        "GET", f"/api/runs/{run}/logs/stream", params={"all": 1}, headers=headers
    ) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                found = msgspec.json.decode(line[5:])
                if found and isinstance(found, list):
                    return int(found[-1][0])
    message = "the stream ended"
    raise AssertionError(message)


async def crash(running: Program, client: httpx.AsyncClient, run: str) -> float:
    """Kill, start again, and wait for a line printed after the kill."""
    await lines_beyond(client, run, 0)
    await running.kill()
    last = 0
    began = time.perf_counter()
    await running.start()
    await running.ready()
    last = int((await client.get(f"/api/runs/{run}")).json()["lines"] or 0)
    await lines_beyond(client, run, last)
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
