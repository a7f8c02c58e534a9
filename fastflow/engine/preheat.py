"""Runs inside a pre-heat container, with its Python and uv alone: resolve, install, mark ready.

The request is shown read-only; the answer is written last and all at once, so it exists only for a whole
environment. The source travels as text, so nothing here imports the rest.
"""

# ruff: noqa: S603, S607 - the container's own uv is run, and nothing else lives there

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REQUEST = Path("/request/request.json")
FOLDER = Path("/envs")
REFUSED = 64


def main() -> int:
    """Build what the request asks for; the exit code is uv's own, or 64 where uv was not to blame."""
    request = json.loads(REQUEST.read_text())
    began = time.monotonic()
    deadline = began + request["seconds_max"]
    if refusal := impossible(request["python_version"]):
        return refuse(refusal)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            lock = resolved(request["requirements"], Path(scratch), deadline)
            key = environment_key(lock, request)
            with alone(FOLDER / ".locks" / key):
                install(FOLDER / key, lock, Path(scratch), deadline)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    except subprocess.TimeoutExpired:
        return refuse(f"Building the environment took longer than {request['seconds_max']:g} seconds.")
    seconds = round(time.monotonic() - began, 3)
    answer = {"key": key, "lock": lock, "packages": packages(lock), "seconds": seconds}
    write(FOLDER / ".answers" / f"{request['digest']}.json", json.dumps(answer))
    return 0


def impossible(wanted: str | None) -> str:
    """Why this image cannot build it; empty when it can."""
    if shutil.which("uv") is None:
        return "The worker image has no uv; name another one in WORKER_BASE_IMAGE."
    here = ".".join(str(part) for part in sys.version_info[:3])
    if wanted is None or f"{here}.".startswith(f"{wanted}."):
        return ""
    return (
        f"The pipeline asks for Python {wanted}, and the worker image has {here}: "
        "change python_version, or name an image that has it in WORKER_BASE_IMAGE."
    )


def refuse(words: str) -> int:
    """Say why, where uv would have said it."""
    sys.stderr.write(f"{words}\n")
    return REFUSED


def resolved(requirements: list[str], scratch: Path, deadline: float) -> str:
    """Every package with its exact version, one a line."""
    if not requirements:
        return ""
    asked, lock = scratch / "requirements.in", scratch / "requirements.txt"
    asked.write_text("".join(f"{line}\n" for line in requirements))
    options = ("--python", sys.executable, "--no-header", "--no-annotate", "--output-file", str(lock))
    uv(deadline, "pip", "compile", *options, str(asked))
    return lock.read_text()


def environment_key(lock: str, request: dict[str, Any]) -> str:
    """The same for everything that would install the same."""
    release = subprocess.run(["uv", "--version"], capture_output=True, text=True, check=True).stdout
    parts = [lock, sys.version, request["image_digest"], release, request["index"]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def install(environment: Path, lock: str, scratch: Path, deadline: float) -> None:
    """Make the environment whole, unless it is."""
    if (environment / ".ready").exists():
        return
    shutil.rmtree(environment, ignore_errors=True)
    uv(deadline, "venv", "--quiet", "--python", sys.executable, str(environment))
    if packages(lock):
        python = str(environment / "bin" / "python")
        uv(deadline, "pip", "install", "--python", python, "-r", str(scratch / "requirements.txt"))
    write(environment / ".ready", "")


def packages(lock: str) -> int:
    """How many packages a lock names."""
    return sum(1 for line in lock.splitlines() if line[:1].isalnum())


def uv(deadline: float, *arguments: str) -> None:
    """Let uv do something; what it says of it goes to our own output."""
    seconds = max(deadline - time.monotonic(), 0.0)
    subprocess.run(["uv", *arguments], check=True, timeout=seconds, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else builds this environment meanwhile; the lock goes with its holder."""
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(file: Path, text: str) -> None:
    """Write all or nothing, to the disk."""
    file.parent.mkdir(exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    with part.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    part.rename(file)


if __name__ == "__main__":
    sys.exit(main())
