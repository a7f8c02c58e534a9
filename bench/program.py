"""A whole Fast-Flow of its own, started and ended by a benchmark."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

PIPELINES = Path(__file__).parent / "pipelines"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """`fastflow up` on a data folder of its own."""

    def __init__(self, data: Path, pipelines: Path = PIPELINES, **settings: str) -> None:
        self.data = data
        self.pipelines = pipelines
        self.settings = settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, role: str = "up") -> None:
        """Start; `ready` says when it answers."""
        environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environ |= {
            "PORT": str(self.port),
            "DATA_DIR": str(self.data),
            "PIPELINES_DIR": str(self.pipelines),
            "LOG_LEVEL": "warning",
            **self.settings,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fastflow", role, env=environ
        )

    async def ready(self) -> None:
        """Return when `/health` says that everything is there and the pipelines are known."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        expected = len([*self.pipelines.glob("*.py"), *self.pipelines.glob("*/main.py")])
        async with httpx.AsyncClient(base_url=self.url) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/health")).is_success:
                        found = (await client.get("/api/pipelines")).json()
                        if len(found["pipelines"]) >= expected:
                            return
                await asyncio.sleep(0.02)
        message = f"Fast-Flow was not ready after {START_TIMEOUT_SECONDS} s"
        raise TimeoutError(message)

    async def kill(self) -> None:
        """End it as a crash would (kill -9)."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Ask it to stop and wait until it has."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await self.process.wait()

    def memory_bytes(self) -> int:
        """Resident memory of the program itself, without its PostgreSQL."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


@contextlib.asynccontextmanager
async def program() -> AsyncIterator[Program]:
    """A running Fast-Flow with an empty log, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fastflow-bench-") as folder:
        running = Program(Path(folder))
        try:
            await running.start()
            await running.ready()
            yield running
        finally:
            await running.stop()


async def line_beyond(client: httpx.AsyncClient, run: str, number: int) -> int:
    """Wait until the live log has a line after `number`; the last line's number by then."""
    headers = {"last-event-id": str(number)}
    async with client.stream(
        "GET", f"/api/runs/{run}/logs/stream", params={"all": 1}, headers=headers
    ) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("id:"):
                return int(line[3:])
    message = f"the log of {run} ended at line {number}"
    raise EOFError(message)


async def finished(client: httpx.AsyncClient, run: str) -> dict[str, object]:
    """The run, once it is over."""
    while True:
        found: dict[str, object] = (await client.get(f"/api/runs/{run}", params={"wait": 30})).json()
        if found["status"] not in ("PENDING", "RUNNING"):
            return found
