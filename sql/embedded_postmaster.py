"""The running server of a cluster, whoever started it: found by its own pid file, told to stop by signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sql.embedded_place import Place

POLL_SECONDS: Final = 0.01
_STOP_STEPS: Final = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
"""Fast shutdown (rolls back, writes a checkpoint); immediate shutdown (the next start recovers); the end."""
_ORPHANS_LEAVE_SECONDS: Final = 5.0
_PROCESSES: Final = Path("/proc")
_PID_FILE_SOCKET_LINE, _PID_FILE_STATUS_LINE = 4, 7


class Postmaster(NamedTuple):
    """A live server, as its pid file describes it."""

    pid: int
    socket: str
    """Empty until it listens."""
    status: str
    """`starting`, `ready`, `stopping`; empty in its first moments."""


def running(place: Place) -> Postmaster | None:
    """The server that runs on this cluster, if there is one."""
    try:
        lines = (place.data / "postmaster.pid").read_text(errors="replace").splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return None
    if not _is_postmaster(pid, place):
        return None
    lines += [""] * 8
    return Postmaster(pid, lines[_PID_FILE_SOCKET_LINE].strip(), lines[_PID_FILE_STATUS_LINE].strip())


def alive(pid: int, place: Place) -> bool:
    """Whether this process belongs to the cluster (a process id may since have gone to another program)."""
    return _is_postmaster(pid, place) or _is_backend(pid, place)


async def halt(place: Place, pid: int) -> None:
    """End a server and wait until it is gone, more roughly from step to step."""
    for number, seconds in _STOP_STEPS:
        _send(number, pid, place)
        if await _becomes_true(lambda: not alive(pid, place), seconds):
            break
    await clear_orphans(place)


async def clear_orphans(place: Place) -> None:
    """End what is left of a server that is not to be adopted: it would keep a new one from starting."""
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for pid in _processes(place):
            _send(number, pid, place)
        if await _becomes_true(lambda: not any(_processes(place)), _ORPHANS_LEAVE_SECONDS):
            return


def interrupt(place: Place, pid: int) -> None:
    """Ask a server to stop, without waiting."""
    _send(signal.SIGINT, pid, place)


async def _becomes_true(condition: Callable[[], bool], seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - a process that is not our child ends without a word
                await asyncio.sleep(POLL_SECONDS)
            return True
    return False


def _send(number: signal.Signals, pid: int, place: Place) -> None:
    if alive(pid, place):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _processes(place: Place) -> Iterator[int]:
    numbers = (int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdigit())
    return (pid for pid in numbers if alive(pid, place))


def _is_postmaster(pid: int, place: Place) -> bool:
    return os.fsencode(place.data) in _command(pid, place).split(b"\0")


def _is_backend(pid: int, place: Place) -> bool:
    return _command(pid, place).startswith(f"postgres: {place.name}: ".encode())


def _command(pid: int, place: Place) -> bytes:
    """What the process calls itself, if it is the server user's; any user may read that."""
    folder = _PROCESSES / str(pid)
    try:
        return (folder / "cmdline").read_bytes() if folder.stat().st_uid == place.user.uid else b""
    except OSError:
        return b""
