"""Runs PostgreSQL's programs, with a limit and an environment of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sql.errors import FastFlowError

ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_LAUNCHER: Final = Path(__file__).with_name("embedded_launch.py")
_STARTED_SECONDS: Final = 10.0


class PostgresRefused(FastFlowError):
    """The embedded PostgreSQL cannot be used."""


async def run(command: Sequence[str | Path], *, seconds: float) -> str:
    """Run a command to its end and return its output. Raises PostgresRefused with its last words."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env=ENVIRONMENT,
    )
    try:
        async with asyncio.timeout(seconds):
            output, complaint = await process.communicate()
    except TimeoutError:
        raise PostgresRefused(f"{_named(command)} did not end within {seconds:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise PostgresRefused(f"{_named(command)} failed: {_gist(complaint.decode(errors='replace'))}")
    return output.decode(errors="replace")


async def run_as(uid: int, gid: int, command: Sequence[str | Path], *, seconds: float) -> str:
    """Run a command to its end with that user's rights only."""
    return await run(_launched(uid, gid, "", command), seconds=seconds)


async def start_as(uid: int, gid: int, command: Sequence[str | Path], log: Path) -> int:
    """Start a command that outlives us, with that user's rights only, and return its process id."""
    return int(await run(_launched(uid, gid, str(log), command), seconds=_STARTED_SECONDS))


def _launched(uid: int, gid: int, log: str, command: Sequence[str | Path]) -> list[str | Path]:
    return [sys.executable, "-I", "-S", _LAUNCHER, str(uid), str(gid), log, *command]


def _gist(complaint: str) -> str:
    lines = complaint.strip().splitlines() or ["it said nothing"]
    return next((line for line in reversed(lines) if "rror" in line or "FATAL" in line), lines[-1])


def _named(command: Sequence[str | Path]) -> str:
    program = command[7] if len(command) > 7 and command[3] == _LAUNCHER else command[0]  # noqa: PLR2004
    return Path(program).name
