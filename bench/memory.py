"""What the whole program weighs while it has nothing to do."""

from __future__ import annotations

import asyncio

from bench.figure import report
from bench.program import program

SETTLE_SECONDS = 5


async def main() -> None:
    """Resident memory without PostgreSQL."""
    async with program() as running:
        await asyncio.sleep(SETTLE_SECONDS)
        report("idle_memory", running.memory_bytes() / 1e6, 90, better="lower", unit="MB")
