"""What is done about the container engine, given what was found."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from pathlib import Path

import pytest
import uvloop

from fastflow.machine import distribution, engine, prepare
from fastflow.machine.api import Answer, EngineApi
from fastflow.machine.command import MachineNotReady
from fastflow.machine.engine import Install, Machine, Refuse, Start, refuse_unsuitable, remedy
from tests.fastflow.machine.listener import PING, listening

BARE = Machine(
    silence="absent",
    host="unix:///var/run/docker.sock",
    chosen=False,
    root=True,
    debian=True,
    dockerd=False,
    systemd=False,
)

APT_GET = """#!/bin/sh
echo "$@" >> {folder}/apt
case "$1" in install) ln -s {folder}/later/dockerd {folder}/bin/dockerd;; esac
"""

DOCKERD = """#!{python}
import os, socket
if os.path.exists("{folder}/broken"):
    raise SystemExit("failed to start daemon: no cgroups")
open("{folder}/pid", "w").write(str(os.getpid()))
listener = socket.socket(socket.AF_UNIX)
listener.bind("{folder}/s")
listener.listen()
listener.settimeout(60)
while True:
    connection = listener.accept()[0]
    connection.recv(65536)
    connection.sendall({ping!r})
    connection.close()
"""


def test_a_bare_debian_machine_gets_the_distributions_engine() -> None:
    assert remedy(BARE) == Install(Start("directly"))
    assert remedy(dataclasses.replace(BARE, systemd=True)) == Install(Start("systemd"))


def test_an_engine_that_is_installed_is_started() -> None:
    assert remedy(dataclasses.replace(BARE, dockerd=True, silence="refused")) == Start("directly")
    assert remedy(dataclasses.replace(BARE, dockerd=True, debian=False, systemd=True)) == Start("systemd")


USER = dataclasses.replace(BARE, root=False)
ELSEWHERE = dataclasses.replace(BARE, debian=False)


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (dataclasses.replace(USER, silence="forbidden"), "does not let this user in: join its group"),
        (dataclasses.replace(BARE, chosen=True, host="tcp://far:1"), "DOCKER_HOST=tcp://far:1: start it, or"),
        (dataclasses.replace(USER, dockerd=True), "does not run: start it"),
        (USER, "install one (sudo apt-get install docker.io)"),
        (ELSEWHERE, "install Docker Engine 20.10 or newer"),
        (dataclasses.replace(ELSEWHERE, root=False), "install Docker Engine 20.10 or newer"),
    ],
)
def test_what_only_a_person_can_do_is_said_in_one_line(machine: Machine, says: str) -> None:
    refused = remedy(machine)
    assert isinstance(refused, Refuse)
    assert says in refused.line
    assert "\n" not in refused.line


async def test_no_engine_at_a_chosen_address_ends_with_that_line(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(
        MachineNotReady, match=r"^No container engine answers at DOCKER_HOST=unix://.*/none: start"
    ):
        await prepare("fastflow-worker:3.11", f"unix://{tmp_path}/none", said.append)
    assert said == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(200, {"libpod-api-version": "4.3.1", "api-version": "1.41"}, b"OK"), "Podman"),
        (Answer(200, {"api-version": "1.40"}, b"OK"), "too old .API 1.40.: Docker 20.10 or newer"),
        (Answer(200, {}, b"hello"), "not a container engine that works .no version."),
        (Answer(500, {"api-version": "1.41"}, b'{"message":"broken"}'), "works .broken."),
    ],
)
def test_an_engine_that_would_lose_lines_is_refused(answer: Answer, says: str) -> None:
    with pytest.raises(MachineNotReady, match=says):
        refuse_unsuitable(answer)


async def test_an_engine_that_answers_is_named_and_nothing_else_happens(tmp_path: Path) -> None:
    said: list[str] = []
    async with listening(tmp_path / "s", PING):
        await engine.ready(f"unix://{tmp_path}/s", said.append)
    assert said == [f"Container engine: Docker 20.10.24 at unix://{tmp_path}/s"]


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt has an engine to install."""
    for folder in ("bin", "later"):
        (tmp_path / folder).mkdir()
    ping = PING.decode()
    scripts = {
        "bin/apt-get": APT_GET.format(folder=tmp_path),
        "later/dockerd": DOCKERD.format(folder=tmp_path, python=sys.executable, ping=ping.encode()),
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    monkeypatch.setattr(distribution, "read_os_release", lambda: "ID=debian\n")
    monkeypatch.setattr(engine, "LOG", tmp_path / "dockerd.log")
    monkeypatch.setattr(engine, "_COMES_UP_BY_ITSELF_SECONDS", 0.05)
    monkeypatch.setattr(engine, "_apparmor", lambda: ())
    return tmp_path


async def test_the_engine_is_installed_and_started_and_outlives_the_setup(bare_machine: Path) -> None:
    said: list[str] = []
    api = EngineApi(f"unix://{bare_machine}/s")
    await engine._set_up(Install(Start("directly")), api, said.append)
    assert (await api.ping()).status == 200
    assert len(said) == 2
    asked = (bare_machine / "apt").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["update", "install"]
    assert asked[1].endswith(" docker.io")
    os.kill(int((bare_machine / "pid").read_text()), signal.SIGKILL)


def test_the_engine_is_left_alone_by_the_programs_own_event_loop_too(bare_machine: Path) -> None:
    (bare_machine / "bin" / "dockerd").symlink_to(bare_machine / "later" / "dockerd")
    api = EngineApi(f"unix://{bare_machine}/s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(engine._set_up(Start("directly"), api, lambda _: None), 20))
        assert runner.run(api.ping()).body == b"OK"
    os.kill(int((bare_machine / "pid").read_text()), signal.SIGKILL)


async def test_an_engine_that_does_not_come_up_is_quoted(bare_machine: Path) -> None:
    (bare_machine / "broken").touch()
    (bare_machine / "bin" / "dockerd").symlink_to(bare_machine / "later" / "dockerd")
    with pytest.raises(MachineNotReady, match="did not come up: failed to start daemon: no cgroups"):
        await engine._set_up(Start("directly"), EngineApi(f"unix://{bare_machine}/s"), lambda _: None)


async def test_a_failing_apt_is_quoted(bare_machine: Path) -> None:
    (bare_machine / "bin" / "apt-get").write_text("#!/bin/sh\necho 'E: no network'; echo bye; exit 100\n")
    with pytest.raises(MachineNotReady, match="apt-get update failed: E: no network"):
        await engine._set_up(Install(Start("directly")), EngineApi("unix:///none"), lambda _: None)
