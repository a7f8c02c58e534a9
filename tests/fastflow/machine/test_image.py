"""How the worker image comes about."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.machine import image as worker_image
from fastflow.machine import prepare
from fastflow.machine.api import DEFAULT_HOST, EngineApi
from fastflow.machine.command import MachineNotReady
from fastflow.machine.image import repository, ways
from tests.fastflow.machine.listener import listening

MISSING = b'HTTP/1.1 404 Not Found\r\nContent-Length: 28\r\n\r\n{"message":"No such image"}\r\n'
FAILED = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"stream":"Step 1"}\r\n{"error":"no such host"}\r\n'


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("fastflow-worker:3.11", ("build", "assemble")),
        ("fastflow-worker", ("build", "assemble")),
        ("registry.example:5000/team/fastflow-worker:7", ("pull", "build", "assemble")),
        ("python:3.12-slim", ("pull",)),
        ("registry.example:5000/python", ("pull",)),
        ("python@sha256:0123", ("pull",)),
    ],
)
def test_only_images_by_our_own_name_are_made_here(image: str, expected: tuple[str, ...]) -> None:
    assert ways(image) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("fastflow-worker:3.11", ("fastflow-worker", "3.11")),
        ("fastflow-worker", ("fastflow-worker", "latest")),
        ("registry.example:5000/a/b", ("registry.example:5000/a/b", "latest")),
        ("registry.example:5000/a/b:c", ("registry.example:5000/a/b", "c")),
        ("python@sha256:0123", ("python", "sha256:0123")),
    ],
)
def test_a_name_falls_into_repository_and_tag(image: str, expected: tuple[str, str]) -> None:
    assert repository(image) == expected


async def test_when_every_way_fails_one_line_says_each_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said: list[str] = []
    async with listening(tmp_path / "s", MISSING, FAILED, FAILED) as heard:
        with pytest.raises(MachineNotReady) as failed:
            await worker_image.ready(
                EngineApi(f"unix://{tmp_path}/s"), "a.example/fastflow-worker:1", said.append
            )
        assert heard.head.startswith(b"POST /build?t=a.example%2Ffastflow-worker%3A1&target=worker&")
        assert b"FROM python:3.11-slim-bookworm AS worker" in heard.body
    assert str(failed.value) == (
        "The worker image a.example/fastflow-worker:1 is missing (pull: no such host; build: no such host; "
        "assemble: only root can make an image from Debian packages)"
    )
    assert [line for line in said if line.startswith("...")] == said[1::2]


async def test_an_engine_with_the_image_is_asked_nothing_more(tmp_path: Path) -> None:
    said: list[str] = []
    async with listening(tmp_path / "s", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as heard:
        await worker_image.ready(EngineApi(f"unix://{tmp_path}/s"), "fastflow-worker:3.11", said.append)
        assert heard.head.startswith(b"GET /images/fastflow-worker:3.11/json ")
    assert said == ["Worker image: fastflow-worker:3.11"]


@pytest.mark.docker
async def test_where_everything_is_there_two_lines_are_said() -> None:
    said: list[str] = []
    image = os.environ.get("WORKER_BASE_IMAGE") or "fastflow-worker:3.11"
    await prepare(image, os.environ.get("DOCKER_HOST"), said.append)
    assert [line.partition(":")[0] for line in said] == ["Container engine", "Worker image"]


@pytest.mark.docker
async def test_a_file_system_becomes_an_image_with_the_workers_configuration() -> None:
    async def tar() -> AsyncIterator[bytes]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("empty"))
        yield packed.getvalue()

    api = EngineApi(os.environ.get("DOCKER_HOST") or DEFAULT_HOST)
    name = f"fastflow-worker-test-{uuid.uuid4().hex}:1"
    await worker_image._import(api, name, tar())
    try:
        told = (await api.get(f"/images/{name}/json")).body.decode()
    finally:
        await api.ask("DELETE", f"/images/{name}", seconds=30)
    for expected in ('"User":"1001:1001"', '"WorkingDir":"/app"', '"HOME=/home/worker"', '"Cmd":["python3"]'):
        assert expected in told
    assert not await worker_image._present(api, name)
