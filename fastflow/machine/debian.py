"""A worker's file system made of Debian packages and uv's own program: where no image registry answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from fastflow.machine.command import MachineNotReady, Say, environment, run
from fastflow.machine.distribution import apt_install, apt_proxy, mirror, read_os_release, read_source_lists

SUITE: Final = "bookworm"
"""The Debian release whose `python3` is 3.11."""
PACKAGES: Final = ("python3", "ca-certificates")
"""The full `python3`: uv refuses `python3-minimal`."""
FOLDER: Final = Path("/var/tmp")  # noqa: S108 - mkdtemp's names cannot be guessed
"""Not the data folder: debootstrap makes device files, and here mounts allow it."""
_DEBOOTSTRAP_SECONDS: Final = 1200.0
_STEP_SECONDS: Final = 120.0
_PIECE_BYTES: Final = 1 << 20
_SPARE: Final = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian"),
    *("var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/log"),
)
_THIS_MACHINES: Final = ("etc/hostname", "etc/resolv.conf")


@contextlib.asynccontextmanager
async def assembled(say: Say) -> AsyncIterator[AsyncIterator[bytes]]:
    """The file system as a tar stream. Raises MachineNotReady."""
    if os.geteuid() != 0:
        raise MachineNotReady("only root can make an image from Debian packages")
    uv = uv_program()
    if shutil.which("debootstrap") is None:
        say("Installing debootstrap ...")
        await apt_install("debootstrap", "debian-archive-keyring")
    root = Path(tempfile.mkdtemp(prefix="fastflow-worker-", dir=FOLDER))
    try:
        await _bootstrap(root)
        await _furnish(root, uv)
        async with _packed(root) as tar:
            yield tar
    finally:
        await _remove(root)


def uv_program() -> Path:
    """The program inside uv's wheel, not a script that stands in for it. Raises MachineNotReady."""
    names = [os.environ.get("UV", "")]
    names += [os.path.join(folder, "uv") for folder in os.environ.get("PATH", "").split(os.pathsep)]  # noqa: PTH118
    for name in names:
        if _is_program(Path(name)):
            return Path(name)
    raise MachineNotReady("the program uv is not on the PATH: pip install uv")


async def _bootstrap(root: Path) -> None:
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    address = mirror(read_source_lists(), read_os_release())
    proxy = await apt_proxy()
    await run("debootstrap", *options, SUITE, root, address, seconds=_DEBOOTSTRAP_SECONDS, env=proxy)


async def _furnish(root: Path, uv: Path) -> None:
    await run("install", "-m", "755", uv, root / "usr/local/bin/uv", seconds=_STEP_SECONDS)
    await run("chroot", root, "useradd", "-u", "1001", "-U", "-m", "worker", seconds=_STEP_SECONDS)
    await run("install", "-d", root / "app", seconds=_STEP_SECONDS)
    spare = [root / folder for folder in _SPARE]
    await run("find", *spare, "-mindepth", "1", "-delete", seconds=_STEP_SECONDS)
    await run("rm", "-f", *(root / file for file in _THIS_MACHINES), seconds=_STEP_SECONDS)
    version = await run("chroot", root, "/usr/bin/python3", "--version", seconds=_STEP_SECONDS)
    if not version.startswith("Python 3.11."):
        raise MachineNotReady(f"Debian {SUITE} gave {version} instead of Python 3.11")
    await run("chmod", "755", root, seconds=_STEP_SECONDS)


@contextlib.asynccontextmanager
async def _packed(root: Path) -> AsyncIterator[AsyncIterator[bytes]]:
    process = await asyncio.create_subprocess_exec(
        *("tar", "-C", root, "--numeric-owner", "--one-file-system", "-c", "."),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        yield _pieces(process.stdout)
        if await asyncio.wait_for(process.wait(), _STEP_SECONDS):
            raise MachineNotReady("tar failed")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _pieces(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await stream.read(_PIECE_BYTES):
        yield piece


async def _remove(root: Path) -> None:
    """Remove everything, but nothing behind a mount that a killed debootstrap left."""
    for line in _lines(Path("/proc/self/mounts")):
        place = line.split()[1]
        if place.startswith(f"{root}/"):
            await run("umount", "--lazy", place, seconds=_STEP_SECONDS)
    await run("rm", "-rf", "--one-file-system", root, seconds=_STEP_SECONDS)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF" and os.access(path, os.X_OK)
    except OSError:
        return False
