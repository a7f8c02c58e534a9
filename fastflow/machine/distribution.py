"""What this machine's distribution is, and what its package tools say and do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fastflow.machine.command import MachineNotReady, run

PUBLIC_MIRROR: Final = "http://deb.debian.org/debian"
_RELEASES: Final = frozenset(
    {"bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"}
)
"""Suites that are a whole release, and not its updates, its security fixes or a third party's."""
_APT_SECONDS: Final = 900.0
_APT_LOCK: Final = ("-o", "DPkg::Lock::Timeout=120")
_QUESTION_SECONDS: Final = 20.0


def is_debian(os_release: str) -> bool:
    """Whether `/etc/os-release` tells of Debian, Ubuntu or one of their children."""
    fields = _fields(os_release)
    told = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".split()
    return not {"debian", "ubuntu"}.isdisjoint(told)


def has_apt() -> bool:
    """Whether this is Debian, Ubuntu or one of their children, with its package tools."""
    return shutil.which("apt-get") is not None and is_debian(read_os_release())


async def apt_install(*packages: str) -> None:
    """Install packages, and nothing they merely recommend. Raises MachineNotReady."""
    if not has_apt():
        raise MachineNotReady(f"{packages[0]} is missing, and this machine has no apt to install it")
    await run("apt-get", "update", "-q", *_APT_LOCK, seconds=_APT_SECONDS)
    options = ("-y", "-q", "--no-install-recommends", *_APT_LOCK)
    await run("apt-get", "install", *options, *packages, seconds=_APT_SECONDS)


async def apt_proxy() -> dict[str, str]:
    """The proxy in apt's own configuration, as an environment for tools that do not read it."""
    if "http_proxy" in os.environ or shutil.which("apt-config") is None:
        return {}
    told = await run("apt-config", "shell", "PROXY", "Acquire::http::Proxy", seconds=_QUESTION_SECONDS)
    address = told.partition("=")[2].strip("'\" \n")
    return {"http_proxy": address, "https_proxy": address} if address else {}


def mirror(source_lists: Iterable[str], os_release: str) -> str:
    """The Debian mirror in the texts of apt's source lists, on a Debian machine; else the public one."""
    if _fields(os_release).get("ID") != "debian":
        return PUBLIC_MIRROR
    addresses = (
        address for text in source_lists for address in (*_from_lines(text), *_from_paragraphs(text))
    )
    return next((address.rstrip("/") for address in addresses if _is_web(address)), PUBLIC_MIRROR)


def read_source_lists() -> list[str]:
    """The texts of apt's source lists."""
    listed = sorted(Path("/etc/apt/sources.list.d").glob("*"))
    wanted = (
        Path("/etc/apt/sources.list"),
        *(path for path in listed if path.suffix in {".list", ".sources"}),
    )
    return [_read(path) for path in wanted]


def read_os_release() -> str:
    """The text of `/etc/os-release`, empty where there is none."""
    return _read(Path("/etc/os-release"))


def _fields(os_release: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in os_release.splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _from_lines(text: str) -> Iterable[str]:
    """From `deb [options] ADDRESS SUITE COMPONENT...`."""
    for line in text.splitlines():
        before, _, after = line.partition("]")
        words = [*before.split()[:1], *after.split()] if after else line.split()
        if words[:1] == ["deb"] and "main" in words[3:] and words[2] in _RELEASES:
            yield words[1]


def _from_paragraphs(text: str) -> Iterable[str]:
    """From paragraphs of `Types:`, `URIs:`, `Suites:`, `Components:`."""
    for paragraph in text.split("\n\n"):
        lines = (line.partition(":") for line in paragraph.splitlines() if not line.startswith("#"))
        fields = {name.strip().lower(): value.split() for name, _, value in lines}
        whole = not _RELEASES.isdisjoint(fields.get("suites", []))
        if whole and "deb" in fields.get("types", []) and "main" in fields.get("components", []):
            yield from fields.get("uris", [])


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
