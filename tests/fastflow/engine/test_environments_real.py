"""Real environments, from the real index, in real containers."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.engine import Mount
from fastflow.engine.docker import DockerEngine
from fastflow.engine.environments import DependenciesFailed, Environment, Environments
from fastflow.engine.trust import trust
from tests.fastflow.engine.houses import environments
from tests.fastflow.engine.jobs import IMAGE, INSTANCE, job

DEADLINE_SECONDS = 300


@pytest.fixture
async def real(
    docker_engine: DockerEngine, tmp_path: Path
) -> AsyncIterator[tuple[DockerEngine, Environments, str]]:
    digest = (await docker_engine.probe(IMAGE)).image_digest
    assert digest is not None
    yield docker_engine, environments(docker_engine, tmp_path, trust(os.environ)), digest
    for left in await docker_engine.observe_all(f"{INSTANCE}-environments"):
        await docker_engine.remove(left.name)


async def run_in(engine: DockerEngine, environment: Environment, code: str) -> tuple[int | None, str]:
    mount = Mount(str(environment.path), f"/envs/{environment.key}")
    made = dataclasses.replace(job((environment.python, "-c", code)), mounts=(mount,))
    await engine.create(made)
    await engine.start(made.name)
    ended = await engine.wait(made.name)
    printed = [text async for batch in engine.logs(made.name, 0, follow=False) for _, _, text in batch]
    await engine.remove(made.name)
    return ended.exit_code, b"".join(printed).decode()


@pytest.mark.docker
async def test_a_real_environment_is_built_once_and_seen_read_only(
    real: tuple[DockerEngine, Environments, str],
) -> None:
    engine, house, digest = real
    async with asyncio.timeout(DEADLINE_SECONDS):
        built, twin = await asyncio.gather(
            house.build(("idna>=3",), None, digest), house.build(("idna >= 3",), "3.11", digest)
        )
        assert (built.key, built.packages) == (twin.key, 1)
        assert built.lock.startswith("idna==")
        assert list(built.path.rglob("idna/__pycache__/core*.pyc"))
        assert await house.ready(("idna>=3",), None, digest) == built
        look = "import idna, os, sys; print(idna.encode('ä'), sys.prefix, os.listdir('/envs'))"
        assert await run_in(engine, built, look) == (0, f"b'xn--4ca' /envs/{built.key} ['{built.key}']\n")
        write = f"open('/envs/{built.key}/poison', 'w')"
        code, words = await run_in(engine, built, write)
        assert (code, "Read-only file system" in words) == (1, True)


@pytest.mark.docker
async def test_a_real_resolution_that_fails_says_why_in_uvs_words(
    real: tuple[DockerEngine, Environments, str],
) -> None:
    _, house, digest = real
    async with asyncio.timeout(DEADLINE_SECONDS):
        seen: list[bytes] = []
        with pytest.raises(DependenciesFailed, match="no-such-package-xyz-fastflow was not found"):
            await house.build(("no-such-package-xyz-fastflow",), None, digest, seen.append)
        assert any(b"unsatisfiable" in line for line in seen)


@pytest.mark.docker
async def test_a_python_the_image_lacks_is_said_in_a_sentence(
    real: tuple[DockerEngine, Environments, str],
) -> None:
    _, house, digest = real
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(DependenciesFailed, match=r"^The pipeline asks for Python 3\.99, and the worker"):
            await house.build((), "3.99", digest)
        assert (await house.build((), "3.11", digest)).packages == 0


@pytest.mark.docker
async def test_a_real_build_killed_half_way_is_built_again(
    real: tuple[DockerEngine, Environments, str],
) -> None:
    engine, house, digest = real
    async with asyncio.timeout(DEADLINE_SECONDS):
        resolved = asyncio.Event()
        building = asyncio.create_task(house.build(("idna>=3",), None, digest, lambda _: resolved.set()))
        await resolved.wait()
        for seen in await engine.observe_all(f"{INSTANCE}-environments"):
            await engine.remove(seen.name)
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
        assert (await house.build(("idna>=3",), None, digest)).packages == 1
