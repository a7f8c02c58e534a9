"""A million lines at full speed: all stored, at what rate, and are the pages still quick meanwhile?"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import httpx

from bench.figure import percentile, report
from bench.program import PIPELINES, finished, program
from bench.start import IMAGE

LINES = 1_000_000
PAUSE_BETWEEN_PAGES_SECONDS = 0.02


async def docker_logs() -> float:
    """Seconds from the start of the same script until `docker logs -f > file` has all its lines."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "log"
        create = await asyncio.create_subprocess_exec(
            *(
                "docker",
                "create",
                "-e",
                f"LINES={LINES}",
                "-v",
                f"{PIPELINES}:/app:ro",
                IMAGE,
                "python3",
                "/app/flood.py",
            ),
            stdout=asyncio.subprocess.PIPE,
        )
        container = (await create.communicate())[0].decode().strip()
        began = time.perf_counter()
        await (
            await asyncio.create_subprocess_exec(
                "docker", "start", container, stdout=asyncio.subprocess.DEVNULL
            )
        ).wait()
        with target.open("wb") as file:
            await (
                await asyncio.create_subprocess_exec("docker", "logs", "-f", container, stdout=file)
            ).wait()
        seconds = time.perf_counter() - began
        lines = target.read_bytes().count(b"\n")
        await (
            await asyncio.create_subprocess_exec(
                "docker", "rm", "-f", container, stdout=asyncio.subprocess.DEVNULL
            )
        ).wait()
    assert lines == LINES, f"docker logs gave {lines} of {LINES} lines"
    return seconds


async def pages(client: httpx.AsyncClient, run: str, over: asyncio.Event) -> list[float]:
    """Seconds each page took while the flood went on."""
    taken = list[float]()
    while not over.is_set():
        for path in ("/", "/runs", f"/runs/{run}", "/api/runs"):
            began = time.perf_counter()
            answer = await client.get(path)
            assert answer.is_success, answer.text
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_BETWEEN_PAGES_SECONDS)
    return taken


async def complete(client: httpx.AsyncClient, run: str) -> int:
    """How many lines the stored log has, in order."""
    expected = 0
    async with client.stream("GET", f"/api/runs/{run}/logs") as answer:
        async for line in answer.aiter_lines():
            if line.startswith(f"line {expected:09d} "):
                expected += 1
    return expected


async def flood(client: httpx.AsyncClient, *, browse: bool) -> tuple[float, int, list[float]]:
    """(seconds of the run, lines stored in order, seconds of each page)."""
    over = asyncio.Event()
    began = time.perf_counter()
    run = (await client.post("/api/pipelines/flood/run", json={"env": {"LINES": str(LINES)}})).json()["id"]
    browsing = asyncio.create_task(pages(client, run, over)) if browse else None
    await finished(client, run)
    seconds = time.perf_counter() - began
    over.set()
    taken = await browsing if browsing else []
    return seconds, await complete(client, run), taken


async def main() -> None:
    """The bare tool, ours, and ours again with a reader clicking through the pages."""
    async with program() as running, httpx.AsyncClient(base_url=running.url, timeout=120) as client:
        bare = min([await docker_logs(), await docker_logs()])
        first, second = await flood(client, browse=False), await flood(client, browse=False)
        seconds = min(first[0], second[0])
        stored = min(first[1], second[1])
        _, _, taken = await flood(client, browse=True)
    report("flood_lines_stored_in_order", stored / LINES, 1.0, better="higher", lines=LINES)
    report(
        "flood_rate_vs_docker_logs",
        bare / seconds,
        0.8,
        better="higher",
        lines_per_second=round(LINES / seconds),
        docker_logs_lines_per_second=round(LINES / bare),
    )
    report(
        "web_p99_during_flood",
        percentile(taken, 99) * 1000,
        100,
        better="lower",
        unit="ms",
        pages=len(taken),
        median_ms=round(percentile(taken, 50) * 1000, 1),
    )
