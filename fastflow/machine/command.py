"""Runs a command of the operating system, with a limit, and keeps its last words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TypeAlias

from events.errors import FastFlowError

Say: TypeAlias = Callable[[str], None]
"""Tells the person in front of the machine one line."""

_WORDS_BYTES_MAX = 32 * 1024


class MachineNotReady(FastFlowError):
    """This machine lacks something that could not be set up."""


async def run(*command: str | Path, seconds: float, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return the last it said. Raises MachineNotReady, with the last line of that."""
    # Not a pipe: what the command leaves running (an engine) would hold it open, and we would wait for ever.
    with tempfile.TemporaryFile() as output:
        process = await _started(command, output, environment() | dict(env or {}))
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            raise MachineNotReady(f"{_named(command)} did not end within {seconds:.0f} seconds") from None
        finally:
            _end(process)
        words = _last_words(output)
    if process.returncode:
        raise MachineNotReady(f"{_named(command)} failed: {_gist(words)}")
    return words


def environment() -> dict[str, str]:
    """Our own environment (proxies, certificates), for commands that nobody answers questions of."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"])
    return dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": path.lstrip(":")}


async def _started(
    command: tuple[str | Path, ...], output: IO[bytes], env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise MachineNotReady(f"{command[0]} cannot be run: {error.strerror}") from None


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # The whole session: apt and debootstrap are crowds.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _last_words(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _WORDS_BYTES_MAX))
    return output.read().decode(errors="replace").strip()


def _gist(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()] or ["it said nothing"]
    telling = [line for line in lines if line.startswith(("E:", "Error", "error", "mv:", "tar:"))]
    return (telling or lines)[-1]


def _named(command: tuple[str | Path, ...]) -> str:
    return " ".join([Path(command[0]).name, *(str(word) for word in command[1:2])])
