"""The worker on a real container engine: one run each, end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from events.run import ContainerExited, ContainerStarted, RunCancelled, RunFailed, RunSucceeded
from fastflow.engine.docker import DockerEngine
from fastflow.reactor.patience import Patience
from tests.fastflow.reactor.house import House, texts

pytestmark = pytest.mark.docker

PROMPT = Patience(restart_seconds=0.5)


@pytest.fixture
async def docker(house: House) -> AsyncIterator[House]:
    engine = DockerEngine()
    house.real_engine = engine
    house.patience = PROMPT
    (house.folder / "snapshots").chmod(0o755)
    yield house
    for left in await engine.observe_all(house.instance):
        await engine.remove(left.name)
    await engine.close()


def script(house: House, text: str) -> str:
    """A snapshot with this script; its name."""
    name = f"code-{abs(hash(text)):x}"
    folder = house.folder / "snapshots" / name
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(text)
    return name


async def test_a_script_prints_and_succeeds(docker: House) -> None:
    code = script(
        docker,
        "import os, sys\n"
        "print('hello from', os.environ['FASTFLOW_PIPELINE'], os.environ['FASTFLOW_ATTEMPT'])\n"
        "print('::progress 1/2 half')\n"
        "print('warning', file=sys.stderr)\n"
        "print(os.environ['WHO'], os.getcwd(), end='')\n",
    )
    async with docker.working():
        run = await docker.request(snapshot=code, WHO="ana")
        assert await docker.ended(run) == RunSucceeded(attempt=1)
    lines = await docker.lines(run)
    assert texts(lines) == ["hello from sales 1", "::progress 1/2 half", "ana /app"]
    assert texts(lines, "stderr") == ["warning"]
    kinds = await docker.kinds(run)
    assert kinds.index("container_started") < kinds.index("progressed") < kinds.index("container_exited")
    assert await docker.real_engine.observe_all(docker.instance) == []


async def test_an_exit_code_arrives(docker: House) -> None:
    async with docker.working():
        run = await docker.request(snapshot=script(docker, "import sys; sys.exit(3)"))
        assert await docker.ended(run) == RunFailed(attempt=1, reason="exit_code", exit_code=3)


async def test_a_cancelled_script_may_say_goodbye(docker: House) -> None:
    code = script(
        docker,
        "import signal, sys, time\n"
        "def bye(*_):\n    print('goodbye', flush=True)\n    sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, bye)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n",
    )
    async with docker.working():
        run = await docker.request(snapshot=code, stop_grace_seconds=20.0)
        await docker.until(run, ContainerStarted)
        async with asyncio.timeout(20):
            while not await docker.lines(run):
                await docker.wake.beyond(docker.wake.head, 0.2)
        await docker.cancel(run)
        assert await docker.ended(run) == RunCancelled(attempt=1, by="ana", exit_code=5)
    assert texts(await docker.lines(run)) == ["ready", "goodbye"]
    assert (await docker.kinds(run)).count("stop_signalled") == 1


async def test_a_script_over_its_time_is_ended(docker: House) -> None:
    code = script(
        docker,
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(600)\n",
    )
    async with docker.working():
        run = await docker.request(snapshot=code, timeout_seconds=1.0, stop_grace_seconds=0.5)
        assert await docker.ended(run) == RunFailed(attempt=1, reason="timeout", exit_code=137)
    assert texts(await docker.lines(run)) == ["deaf"]


async def test_a_script_over_its_memory_is_out_of_memory(docker: House) -> None:
    code = script(docker, "print('hungry', flush=True)\nx = bytearray(256 << 20)\nprint('full')\n")
    async with docker.working():
        run = await docker.request(snapshot=code, memory_limit_bytes=64 << 20)
        assert await docker.ended(run) == RunFailed(attempt=1, reason="out_of_memory", exit_code=137)
    exited = await docker.until(run, ContainerExited)
    assert isinstance(exited, ContainerExited)
    assert exited.out_of_memory


async def test_a_worker_that_stops_leaves_its_container_to_the_next(docker: House) -> None:
    code = script(
        docker,
        "import time\nfor n in range(40):\n    print('line', n, flush=True)\n    time.sleep(0.05)\n",
    )
    async with docker.working():
        run = await docker.request(snapshot=code)
        await docker.until(run, ContainerStarted)
    async with docker.working():
        assert await docker.ended(run) == RunSucceeded(attempt=1)
    assert texts(await docker.lines(run)) == [f"line {n}" for n in range(40)]
    assert (await docker.kinds(run)).count("container_started") == 1
