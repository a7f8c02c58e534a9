"""The container engine of this machine: found, else started, else installed, else asked for in one line."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from fastflow.machine.api import DEFAULT_HOST, Answer, EngineApi, EngineSilent, Silence
from fastflow.machine.command import MachineNotReady, Say, run
from fastflow.machine.distribution import apt_install, has_apt

API_MIN: Final = (1, 41)
"""Docker 20.10: the oldest whose logs we know to be whole."""
LOG: Final = Path("/var/log/dockerd.log")
_SYSTEMCTL_SECONDS: Final = 120.0
_COMES_UP_BY_ITSELF_SECONDS: Final = 5.0
_ENGINE_OPTIONS: Final = "--icc=false --live-restore"
"""Containers of the default bridge do not reach one another, so no other network is needed for that (a start
on one takes 60 ms more, measured on 20.10); and they run on while the engine itself is restarted."""
_COMES_UP_SECONDS: Final = 90.0
_POLL_SECONDS: Final = 0.2
_GAVE_UP: Final = "failed to start daemon"


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What matters about this machine when no engine answers."""

    silence: Silence
    host: str
    chosen: bool
    """DOCKER_HOST names the engine: it is somebody's, not ours to install."""
    root: bool
    debian: bool
    """Debian or one of its children, with apt."""
    dockerd: bool
    """The engine is installed."""
    systemd: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """The engine is there and has to be started."""

    way: Literal["systemd", "directly"]


@dataclasses.dataclass(frozen=True, slots=True)
class Install:
    """The distribution has the engine."""

    then: Start


@dataclasses.dataclass(frozen=True, slots=True)
class Refuse:
    """Only a person can go on."""

    line: str


Remedy: TypeAlias = Start | Install | Refuse


def remedy(machine: Machine) -> Remedy:
    """What to do when no engine answers."""
    start = Start("systemd" if machine.systemd else "directly")
    if machine.silence == "forbidden":
        return Refuse(
            f"The container engine at {machine.host} does not let this user in: "
            "join its group (sudo usermod -aG docker $USER, then log in again) or start as root"
        )
    if machine.chosen:
        return Refuse(
            f"No container engine answers at DOCKER_HOST={machine.host}: "
            "start it, or unset DOCKER_HOST to use this machine's own"
        )
    if machine.dockerd:
        line = "The container engine does not run: start it (sudo systemctl start docker)"
        return start if machine.root else Refuse(line)
    if machine.debian:
        line = "There is no container engine: install one (sudo apt-get install docker.io)"
        return Install(start) if machine.root else Refuse(line)
    return Refuse("There is no container engine: install Docker Engine 20.10 or newer and start it")


def look(silence: Silence, host: str, *, chosen: bool) -> Machine:
    """Look around on this machine."""
    return Machine(
        silence=silence,
        host=host,
        chosen=chosen,
        root=os.geteuid() == 0,
        debian=has_apt(),
        dockerd=shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        is not None,
        systemd=Path("/run/systemd/system").is_dir(),
    )


async def ready(docker_host: str | None, say: Say) -> EngineApi:
    """An engine that answers. Raises MachineNotReady with one line that says what to do."""
    api = EngineApi(docker_host or DEFAULT_HOST)
    try:
        answer = await api.ping()
    except EngineSilent as away:
        chosen = docker_host is not None and docker_host != DEFAULT_HOST
        await _set_up(remedy(look(away.silence, api.host, chosen=chosen)), api, say)
        answer = await api.ping()
    refuse_unsuitable(answer)
    say(f"Container engine: {_named(answer)} at {api.host}")
    return api


def refuse_unsuitable(answer: Answer) -> None:
    """Refuse an engine whose logs cannot be read without loss. Raises MachineNotReady."""
    if "libpod-api-version" in answer.headers:
        raise MachineNotReady("This engine is Podman, whose logs lose lines: Fast-Flow needs Docker Engine")
    version = answer.headers.get("api-version", "")
    if answer.status != 200 or not version:  # noqa: PLR2004 - HTTP's own number
        raise MachineNotReady(
            f"What answers is not a container engine that works ({answer.error() or 'no version'})"
        )
    if tuple(int(part) for part in version.split(".")) < API_MIN:
        raise MachineNotReady(
            f"The container engine is too old (API {version}): Docker 20.10 or newer is needed"
        )


def _named(answer: Answer) -> str:
    """From `Docker/20.10.24+dfsg1 (linux)`."""
    name, _, version = answer.headers.get("server", "Docker").partition(" ")[0].partition("/")
    return f"{name} {version.partition('+')[0]}".strip()


async def _set_up(way: Remedy, api: EngineApi, say: Say) -> None:
    match way:
        case Refuse():
            raise MachineNotReady(way.line)
        case Install():
            say("Installing a container engine (docker.io) ...")
            await apt_install("docker.io", *_apparmor())
            # A distribution with an init system starts what it installs.
            if not await _comes_up(api, _COMES_UP_BY_ITSELF_SECONDS):
                await _set_up(way.then, api, say)
        case Start(way="systemd"):
            say("Starting the container engine ...")
            await run("systemctl", "start", "docker", seconds=_SYSTEMCTL_SECONDS)
            await _insist(api, said=0)
        case Start():
            say(f"Starting the container engine (its log: {LOG}) ...")
            await _insist(api, said=await _start_directly())
        case _:
            assert_never(way)


def _apparmor() -> tuple[str, ...]:
    """Where the kernel has AppArmor on, Docker cannot start a container without its parser."""
    switch = Path("/sys/module/apparmor/parameters/enabled")
    return ("apparmor",) if switch.exists() and switch.read_text().strip() == "Y" else ()


async def _start_directly() -> int:
    said = LOG.stat().st_size if LOG.exists() else 0
    # `setsid --fork` ends at once: the engine is nobody's child and outlives this program.
    start = f'exec setsid --fork dockerd {_ENGINE_OPTIONS} >>"{LOG}" 2>&1'
    await run("sh", "-c", start, seconds=_SYSTEMCTL_SECONDS)
    return said


async def _insist(api: EngineApi, said: int) -> None:
    if not await _comes_up(api, _COMES_UP_SECONDS, said):
        words = _last_words(said) or "its own log says why"
        raise MachineNotReady(f"The container engine did not come up: {words}")


async def _comes_up(api: EngineApi, seconds: float, said: int | None = None) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while said is None or _GAVE_UP not in _last_words(said):
                try:
                    await api.ping()
                except EngineSilent:
                    await asyncio.sleep(_POLL_SECONDS)
                else:
                    return True
    except TimeoutError:
        pass
    return False


def _last_words(said: int) -> str:
    try:
        with LOG.open(errors="replace") as log:
            log.seek(said)
            return "".join(log.read().strip().splitlines()[-1:])
    except OSError:
        return ""
