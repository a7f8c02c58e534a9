"""Runs a command of the operating system, with a limit, and keeps its last words."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from events.errors import FastFlowError

Say: TypeAlias = Callable[[str], None]
"""Tells the person in front of the machine one line."""

_WORDS_LINES_MAX = 50


class MachineNotReady(FastFlowError):
    """This machine lacks something that could not be set up."""


async def run(*command: str | Path, seconds: float, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return the last lines it said. Raises MachineNotReady, with the last of them."""
    words: collections.deque[str] = collections.deque(maxlen=_WORDS_LINES_MAX)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment() | dict(env or {}),
            start_new_session=True,
        )
    except OSError as error:
        raise MachineNotReady(f"{command[0]} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(seconds):
            await _listen(process, words)
            await process.wait()
    except TimeoutError:
        raise MachineNotReady(f"{_named(command)} did not end within {seconds:.0f} seconds") from None
    finally:
        _end(process)
    if process.returncode:
        raise MachineNotReady(f"{_named(command)} failed: {_gist(words)}")
    return "\n".join(words)


def environment() -> dict[str, str]:
    """Our own environment (proxies, certificates), for commands that nobody answers questions of."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"])
    return dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": path.lstrip(":")}


async def _listen(process: asyncio.subprocess.Process, words: collections.deque[str]) -> None:
    assert process.stdout is not None  # noqa: S101 - asked for above
    while piece := await process.stdout.read(1 << 16):
        words.extend(line for line in piece.decode(errors="replace").splitlines() if line.strip())


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # The whole session: apt and debootstrap are crowds.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _gist(words: collections.deque[str]) -> str:
    telling = [line for line in words if line.startswith(("E:", "Error", "error", "mv:", "tar:"))]
    return (telling or list(words) or ["it said nothing"])[-1].strip()


def _named(command: tuple[str | Path, ...]) -> str:
    return " ".join([Path(command[0]).name, *(str(word) for word in command[1:2])])
