"""What only the real engine can show: who is refused, what is away, hardening in force."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from fastflow.engine import (
    EngineAway,
    EngineRefused,
    Job,
    Mount,
    Observed,
    Piece,
    docker_answers,
)
from fastflow.engine import docker as adapter
from fastflow.engine.container import Machine
from fastflow.engine.docker import DockerEngine
from fastflow.engine.docker_answers import PodmanRefused, ground, observed, refusal
from tests.fastflow.engine.jobs import IMAGE, INSTANCE, job
from tests.fastflow.engine.proxy import answering

DEADLINE_SECONDS = 60


async def ended_with_output(engine: DockerEngine, made: Job) -> tuple[int | None, list[Piece]]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        await engine.create(made)
        await engine.start(made.name)
        ended = await engine.wait(made.name)
        pieces = [piece async for batch in engine.logs(made.name, 0, follow=False) for piece in batch]
        await engine.remove(made.name)
        return ended.exit_code, pieces


async def test_an_engine_that_is_not_there_is_away(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/nothing.sock")
    made = job()
    for call in (engine.probe(IMAGE), engine.create(made), engine.observe("x"), engine.wait("x")):
        with pytest.raises(EngineAway):
            await call
    for stream in (engine.logs("x", 0, follow=True), engine.wakeups("x")):
        with pytest.raises(EngineAway):
            await anext(aiter(stream))
    await engine.close()


@pytest.mark.docker
async def test_an_engine_that_goes_away_while_all_are_observed_is_away(
    docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> Observed:
        raise EngineAway

    made = [job(), job()]
    for one in made:
        await docker_engine.create(one)
    monkeypatch.setattr(docker_engine, "observe", away)
    with pytest.raises(EngineAway):
        await docker_engine.observe_all(INSTANCE)
    for one in made:
        await docker_engine.remove(one.name)


async def test_an_engine_that_never_answers_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "CALL_SECONDS", 0.1)
    async with answering(tmp_path, None) as address:
        engine = DockerEngine(address)
        with pytest.raises(EngineAway, match=r"did not answer within 0\.1 s"):
            await engine.observe("x")
        with pytest.raises(EngineAway):
            await engine.probe(IMAGE)
        await engine.close()


async def test_podman_is_refused(tmp_path: Path) -> None:
    version = {"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
    async with answering(tmp_path, json.dumps(version).encode()) as address:
        engine = DockerEngine(address)
        with pytest.raises(PodmanRefused, match="Podman"):
            await engine.probe(IMAGE)
        await engine.close()


async def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(EngineRefused, match="unix:// or tcp://"):
        DockerEngine("ssh://somewhere")


@pytest.mark.parametrize(
    ("options", "bridge"),
    [({"com.docker.network.bridge.enable_icc": "false"}, "bridge"), ({}, "fastflow"), (None, "fastflow")],
)
def test_the_default_network_is_used_where_its_containers_do_not_see_one_another(
    options: dict[str, str] | None, bridge: str
) -> None:
    information = {"NCPU": 2, "MemTotal": 1 << 30, "SystemTime": "2026-11-22T03:02:31.5Z"}
    found = ground({"Version": "27.0.1"}, information, {"Options": options}, 1_795_316_550.0)
    assert found.machine == Machine(2, 1 << 30, bridge)
    assert found.clock_skew_seconds == 1.5
    assert not found.forgets_newlines
    assert ground({"Version": "20.10.24+dfsg1"}, information, {}, 0.0).forgets_newlines


@pytest.mark.parametrize(
    ("status", "message", "name"),
    [
        (900, "Cannot connect", "EngineAway"),
        (503, "proxy", "EngineAway"),
        (404, "No such container: x", "ContainerGone"),
        (404, "No such image: x:1", "ImageMissing"),
        (404, "network fastflow not found", "EngineRefused"),
        (409, "in use", "Conflict"),
        (400, "bad", "EngineRefused"),
        (500, "OCI runtime create failed", "EngineRefused"),
    ],
)
def test_refusals_are_told_apart(status: int, message: str, name: str) -> None:
    assert type(refusal(status, message)).__name__ == name


def test_a_script_that_ended_before_its_start_was_noted_ends_when_it_started() -> None:
    state = {
        "Status": "exited",
        "ExitCode": 0,
        "StartedAt": "2026-11-22T03:02:31.162827001Z",
        "FinishedAt": "2026-11-22T03:02:31.162328Z",
    }
    labels = {"fastflow-attempt": "not a number"}
    seen = observed({"Name": "/x", "Id": "1", "Config": {"Labels": labels}, "State": state})
    assert seen.started_at == seen.finished_at
    assert (seen.run, seen.attempt) == ("", 0)


def open_to_all(folder: Path) -> str:
    folder.chmod(0o777)
    secret = folder / "secret"
    secret.write_text("seen")
    secret.chmod(0o666)
    return str(folder)


@pytest.mark.docker
async def test_the_hardening_is_in_force(docker_engine: DockerEngine, tmp_path: Path) -> None:
    shown = open_to_all(tmp_path)
    code = """
import os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(os.getuid(), os.getgid(), *(status[name].strip() for name in ("CapEff", "NoNewPrivs", "Seccomp")))
def refused(act):
    try: act()
    except OSError as error: print(type(error).__name__, error.strerror)
    else: print("allowed")
refused(lambda: open("/x", "w"))
refused(lambda: open("/app/secret", "a"))
refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
refused(lambda: open("/tmp/big", "wb").write(bytes(40 << 20)))
refused(lambda: os.listdir("/var/run/docker.sock"))
refused(lambda: socket.create_connection(("1.1.1.1", 80), 1))
print(os.environ["HOME"], os.getcwd(), open("/app/secret").read())
"""
    made = dataclasses.replace(
        job(("python3", "-c", code), memory_limit_bytes=64 << 20), mounts=(Mount(shown, "/app"),)
    )
    exit_code, pieces = await ended_with_output(docker_engine, made)
    printed = b"".join(text for _, _, text in pieces).decode()
    assert printed.splitlines() == [
        "1001 1001 0000000000000000 1 2",
        "OSError Read-only file system",
        "OSError Read-only file system",
        "PermissionError Operation not permitted",
        "OSError No space left on device",
        "FileNotFoundError No such file or directory",
        "OSError Network is unreachable",
        "/tmp /app seen",  # noqa: S108 - the container's own
    ]
    assert exit_code == 0


@pytest.mark.docker
async def test_containers_on_the_network_do_not_reach_one_another(docker_engine: DockerEngine) -> None:
    serve = "import socket; s = socket.create_server(('0.0.0.0', 8000)); print(s, flush=True); s.accept()"
    server = dataclasses.replace(job(("python3", "-c", serve)), network="bridge")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await docker_engine.create(server)
        await docker_engine.start(server.name)
        await anext(aiter(docker_engine.logs(server.name, 0, follow=True)))
        networks = (await docker_engine._inspect(server.name))["NetworkSettings"]["Networks"]
        (address,) = (network["IPAddress"] for network in networks.values())
        ask = f"import socket; socket.create_connection(('{address}', 8000), 2)"
        client = dataclasses.replace(job(("python3", "-c", ask)), network="bridge")
        exit_code, pieces = await ended_with_output(docker_engine, client)
        await docker_engine.remove(server.name)
    assert exit_code == 1
    assert pieces[-1][2] in {b"TimeoutError: timed out\n", b"OSError: [Errno 113] No route to host\n"}


@pytest.mark.docker
async def test_a_network_somebody_removed_is_made_again(
    docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"{INSTANCE}-network"
    for module in (adapter, docker_answers):
        monkeypatch.setattr(module, "OWN_NETWORK", own)
    made = dataclasses.replace(job(DOUBLE_EXIT_CODE="6"), network="bridge")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await docker_engine.create(made)
        networks = docker_engine._control.networks
        if await docker_engine._network(own):
            await (await networks.get(own)).delete()
        await docker_engine.start(made.name)
        assert (await docker_engine.wait(made.name)).exit_code == 6
        await docker_engine.remove(made.name)
        if await docker_engine._network(own):
            await (await networks.get(own)).delete()
