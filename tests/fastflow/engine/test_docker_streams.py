"""Streams of the real engine: connections given back, cuts survived."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fastflow.engine import (
    STDERR,
    STDOUT,
    EngineAway,
    Piece,
)
from fastflow.engine.docker import DockerEngine
from tests.fastflow.engine.jobs import IMAGE, INSTANCE, job
from tests.fastflow.engine.proxy import cutting

DEADLINE_SECONDS = 60


def connections(engine: DockerEngine) -> int:
    """Of the stream pool, in use."""
    connector = engine._streams.session.connector
    assert connector is not None
    return len(connector._acquired)


async def until(condition: Callable[[], bool]) -> None:
    """The loop's own work done, as long as it takes below the deadline."""
    while not condition():  # noqa: ASYNC110 - aiohttp has no event for this
        await asyncio.sleep(0.001)


@pytest.mark.docker
async def test_followed_logs_given_up_leave_no_connection_behind(docker_engine: DockerEngine) -> None:
    made = job(DOUBLE_LINES="10", DOUBLE_HOLD="1")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await docker_engine.create(made)
        await docker_engine.start(made.name)

        async def follow(seen: asyncio.Event) -> None:
            async for _ in docker_engine.logs(made.name, 0, follow=True):
                seen.set()

        async def hints(seen: asyncio.Event) -> None:
            seen.set()
            async for _ in docker_engine.wakeups(INSTANCE):
                pass

        for start in (follow, hints):
            events = [asyncio.Event() for _ in range(20)]
            tasks = [asyncio.create_task(start(event)) for event in events]
            for event in events[: 1 if start is hints else 10]:
                await event.wait()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await until(lambda: connections(docker_engine) == 0)
        waiting = asyncio.create_task(docker_engine.wait(made.name))
        await until(lambda: connections(docker_engine) == 1)
        waiting.cancel()
        await asyncio.wait({waiting})
        await until(lambda: connections(docker_engine) == 0)
        await docker_engine.remove(made.name)


@pytest.mark.docker
async def test_many_followers_never_hold_up_a_call(docker_engine: DockerEngine) -> None:
    made = job(DOUBLE_LINES="1", DOUBLE_HOLD="1")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await docker_engine.create(made)
        await docker_engine.start(made.name)
        logs = [aiter(docker_engine.logs(made.name, 0, follow=True)) for _ in range(120)]
        assert all(await asyncio.gather(*(anext(log) for log in logs)))
        assert (await docker_engine.observe(made.name)).state == "running"
        await docker_engine.remove(made.name)
        for log in logs:
            with pytest.raises(StopAsyncIteration):
                await anext(log)
    assert connections(docker_engine) == 0


@pytest.mark.docker
async def test_a_log_through_a_proxy_that_cuts_is_whole_when_resumed_at_its_times(
    tmp_path: Path, docker_engine: DockerEngine
) -> None:
    made = job(DOUBLE_LINES="20000", DOUBLE_ERROR_LINES="20000")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await docker_engine.create(made)
        await docker_engine.start(made.name)
        await docker_engine.wait(made.name)
        whole = [piece async for batch in docker_engine.logs(made.name, 0, follow=False) for piece in batch]
        cuts = (100_003 * turn for turn in range(1, 30))
        async with cutting(tmp_path, None, *cuts) as (address, proxy):
            engine = DockerEngine(address)
            await engine.probe(IMAGE)
            seen: dict[Piece, None] = {}
            while len(seen) < len(set(whole)):
                last = {stream: max((p[1] for p in seen if p[0] == stream), default=0) for stream in (1, 2)}
                log: AsyncIterator[object] = engine.logs(made.name, min(last.values()), follow=True)
                seen.update(dict.fromkeys(await pieces_until_cut(log)))
            await engine.close()
            assert proxy.cut > 3
        for stream in (STDOUT, STDERR):
            assert [p for p in seen if p[0] == stream] == [p for p in dict.fromkeys(whole) if p[0] == stream]
        await docker_engine.remove(made.name)


async def pieces_until_cut(log: AsyncIterator[object]) -> list[Piece]:
    pieces: list[Piece] = []
    try:
        async for batch in log:
            assert isinstance(batch, list)
            pieces.extend(batch)
    except EngineAway:
        pass
    return pieces


@pytest.mark.docker
async def test_a_wait_survives_its_connection(tmp_path: Path) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), cutting(tmp_path) as (address, proxy):
        engine = DockerEngine(address)
        made = job(DOUBLE_HOLD="1")
        await engine.create(made)
        await engine.start(made.name)
        waiting = asyncio.create_task(engine.wait(made.name))
        for wait in (2, 3, 4):  # the first connection is for the short calls
            await until(functools.partial(proxy.opened, wait))
            proxy.cut_newest()
        await until(functools.partial(proxy.opened, 5))
        assert not waiting.done()
        await engine.signal(made.name, "TERM")
        assert (await waiting).exit_code == 143
        await engine.remove(made.name)
        await engine.close()
