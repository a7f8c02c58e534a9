"""What a run costs beyond `docker run --rm` of the same command, and when its first line is seen."""

from __future__ import annotations

import asyncio
import time

import httpx

from bench.figure import median, report
from bench.program import PIPELINES, finished, program

ROUNDS = 15
IMAGE = "fastflow-worker:3.11"


async def docker_run() -> tuple[float, float]:
    """(seconds to the first line, seconds to the end) of the bare tool."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *("docker", "run", "--rm", "-v", f"{PIPELINES}:/app:ro", IMAGE, "python3", "/app/noop.py"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    first = time.perf_counter() - began
    await process.wait()
    return first, time.perf_counter() - began


async def fast_flow_run(client: httpx.AsyncClient) -> tuple[float, float]:
    """(seconds from the request to the first line at an SSE client, seconds to the terminal status)."""
    began = time.perf_counter()
    run = (await client.post("/api/pipelines/noop/run")).json()["id"]

    async def first_line() -> float:
        async with client.stream("GET", f"/api/runs/{run}/logs/stream") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:") and "hello" in line:
                    return time.perf_counter() - began
        message = "the stream ended without the line"
        raise AssertionError(message)

    async def terminal() -> float:
        over = await finished(client, run)
        assert over["status"] == "SUCCESS", over
        return time.perf_counter() - began

    first, end = await asyncio.gather(first_line(), terminal())
    return first, end


async def main() -> None:
    """Alternate the two, so that both see the same machine."""
    bare, ours = list[tuple[float, float]](), list[tuple[float, float]]()
    async with program() as running, httpx.AsyncClient(base_url=running.url, timeout=60) as client:
        await docker_run()
        await fast_flow_run(client)
        for _ in range(ROUNDS):
            bare.append(await docker_run())
            ours.append(await fast_flow_run(client))
    for index, name, goal in (
        (1, "start_to_terminal_vs_docker_run", 1.15),
        (0, "start_to_first_line_vs_docker_run", 1.10),
    ):
        mine, peer = median([row[index] for row in ours]), median([row[index] for row in bare])
        report(
            name, mine / peer, goal, better="lower", seconds=round(mine, 3), docker_run_seconds=round(peer, 3)
        )
