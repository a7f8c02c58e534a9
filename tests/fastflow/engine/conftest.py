"""Both engines for the contract suite; whatever a test leaves on the real one goes with the test session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from fastflow.engine import Engine, EngineAway
from fastflow.engine.docker import DockerEngine
from fastflow.engine.double import DoubleEngine
from tests.fastflow.engine.jobs import INSTANCE


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["double", pytest.param("docker", marks=pytest.mark.docker)])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    made: Engine = DoubleEngine() if request.param == "double" else DockerEngine()
    yield made
    await made.close()


@pytest.fixture
async def docker_engine() -> AsyncIterator[DockerEngine]:
    made = DockerEngine()
    yield made
    await made.close()


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    with contextlib.suppress(EngineAway):
        asyncio.run(remove_all())


async def remove_all() -> None:
    engine = DockerEngine()
    try:
        for instance in (INSTANCE, f"{INSTANCE}-other", f"{INSTANCE}-environments"):
            for left in await engine.observe_all(instance):
                await engine.remove(left.name)
    finally:
        await engine.close()
