"""The whole program, started as a person starts it, on a data folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bench.program import Program

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ROOT / "tests" / "whole" in item.path.parents:
            item.add_marker("docker")


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    running = Program(tmp_path / "data")
    await running.start()
    try:
        await running.ready()
        yield running
    finally:
        await running.stop()


@pytest.fixture
async def api(program: Program) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=program.url, timeout=90) as client:
        yield client


def containers(run: str) -> list[str]:
    """Names of the containers that a run has on the engine."""
    found = subprocess.run(
        ["docker", "ps", "-a", "--filter", f"label=fastflow-run-id={run}", "--format", "{{.Names}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


def command_line(running: Program, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """`fastflow WORDS` against the running program."""
    return subprocess.run(
        [sys.executable, "-m", "fastflow", *words],
        env={**os.environ, "FASTFLOW_URL": running.url},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
