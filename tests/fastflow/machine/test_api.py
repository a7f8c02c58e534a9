"""The questions setting up has for the engine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.machine.api import DEFAULT_HOST, Answer, EngineApi, EngineSilent
from fastflow.machine.command import MachineNotReady
from tests.fastflow.machine.listener import PING, listening


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def api(socket: Path) -> EngineApi:
    return EngineApi(f"unix://{socket}")


async def test_a_ping_tells_who_answers(socket: Path, api: EngineApi) -> None:
    async with listening(socket, PING) as heard:
        answer = await api.ping()
    assert heard.head.startswith(b"GET /_ping HTTP/1.1\r\n")
    assert (answer.status, answer.body, answer.headers["api-version"]) == (200, b"OK", "1.41")


async def test_the_address_that_is_not_there_is_absent(api: EngineApi) -> None:
    with pytest.raises(EngineSilent) as silent:
        await api.ping()
    assert silent.value.silence == "absent"


async def test_a_socket_nobody_listens_on_refuses(socket: Path) -> None:
    async with listening(socket):
        os.link(socket, socket.with_name("left"))
    with pytest.raises(EngineSilent) as silent:
        await EngineApi(f"unix://{socket.with_name('left')}").ping()
    assert silent.value.silence == "refused"


async def test_somebody_who_speaks_something_else_refuses(socket: Path, api: EngineApi) -> None:
    for nonsense in (b"hello\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        async with listening(socket, nonsense):
            with pytest.raises(EngineSilent, match="refused"):
                await api.ping()


async def test_an_engine_that_says_nothing_for_too_long_is_given_up(socket: Path, api: EngineApi) -> None:
    async with listening(socket):
        with pytest.raises(MachineNotReady, match=r"stopped answering \(silent\)"):
            await api.ask("POST", "/build", seconds=30, silence_seconds=0.05)
        async with asyncio.timeout(10):
            with pytest.raises(MachineNotReady, match="stopped answering"):
                await api.ask("POST", "/build", seconds=0.05)


async def test_a_body_goes_out_in_pieces_and_a_report_comes_back_in_pieces(
    socket: Path, api: EngineApi
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a" * 70_000
        yield b"b"

    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    report = head + b'3\r\n{"s\r\n8\r\ntatus":1\r\n1\r\n}\r\n0\r\n\r\n'
    async with listening(socket, report) as heard:
        answer = await api.ask("POST", "/images/create", (("repo", "a b"),), body(), seconds=10)
    assert heard.head.startswith(b"POST /images/create?repo=a+b HTTP/1.1\r\n")
    assert heard.body == b"a" * 70_000 + b"b"
    assert answer.body == b'{"status":1}'
    assert answer.error() == ""


def test_an_error_in_the_middle_of_a_report_is_an_error() -> None:
    report = (
        b'{"stream":"Step 1"}\r\n{"errorDetail":{"message":"x"},"error":"pull failed:\\nno such host"}\r\n'
    )
    assert Answer(200, {}, report).error() == "no such host"
    assert Answer(404, {}, b'{"message":"No such image"}\n').error() == "No such image"
    assert Answer(503, {}, b"").error() == "status 503"
    assert Answer(200, {}, b'{"status":"done"}').error() == ""


@pytest.mark.parametrize("host", ["ssh://build@host", "/var/run/docker.sock", "unix://", ""])
def test_an_address_of_another_kind_is_refused_in_one_line(host: str) -> None:
    with pytest.raises(MachineNotReady, match=r"^DOCKER_HOST must be unix:///path or tcp://host:port, not"):
        EngineApi(host)


@pytest.mark.docker
async def test_the_real_engine_answers_over_its_socket() -> None:
    answer = await EngineApi(os.environ.get("DOCKER_HOST") or DEFAULT_HOST).ping()
    assert answer.body == b"OK"
