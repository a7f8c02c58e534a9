"""What only the double does: on a test's order it goes away, cuts, restarts and loses."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from fastflow.engine import STDERR, ContainerGone, EngineAway, Piece
from fastflow.engine.double import DoubleEngine
from tests.fastflow.engine.jobs import INSTANCE, job


async def started(engine: DoubleEngine, **env: str) -> str:
    made = dataclasses.replace(job(), env=env)
    await engine.create(made)
    await engine.start(made.name)
    return made.name


async def printed(engine: DoubleEngine, name: str, *, follow: bool = False) -> list[Piece]:
    return [piece async for batch in engine.logs(name, 0, follow=follow) for piece in batch]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_while_it_is_away_nothing_answers_and_containers_go_on() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_HOLD="1")
    open_calls = [
        asyncio.ensure_future(engine.wait(name)),
        asyncio.ensure_future(printed(engine, name, follow=True)),
        asyncio.ensure_future(anext(aiter(engine.wakeups(INSTANCE)))),
    ]
    await settled()
    engine.go_away()
    for failed in await asyncio.gather(*open_calls, return_exceptions=True):
        assert isinstance(failed, EngineAway)
    with pytest.raises(EngineAway):
        await engine.observe(name)
    engine.write(name, b"meanwhile\n")
    engine.come_back()
    assert (await engine.observe(name)).state == "running"
    assert [text for _, _, text in await printed(engine, name)] == [b"meanwhile\n"]


async def test_a_cut_breaks_open_calls_once() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_HOLD="1")
    waiting = asyncio.ensure_future(engine.wait(name))
    await settled()
    engine.cut()
    with pytest.raises(EngineAway):
        await waiting
    waiting = asyncio.ensure_future(engine.wait(name))
    await settled()
    engine.release(name, 9)
    assert (await waiting).exit_code == 9


async def test_a_restart_ends_every_script_with_143_and_the_log_cleanly() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_LINES="1", DOUBLE_HOLD="1")
    following = asyncio.ensure_future(printed(engine, name, follow=True))
    await settled()
    engine.restart()
    assert len(await following) == 1
    assert (await engine.wait(name)).exit_code == 143


async def test_a_followed_log_can_end_cleanly_too_early() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_LINES="200", DOUBLE_EARLY_END="70", DOUBLE_HOLD="1")
    assert len(await printed(engine, name, follow=True)) == 70
    assert len(await printed(engine, name)) == 200


async def test_two_lines_may_carry_the_same_time_but_never_an_older_one() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_LINES="100", DOUBLE_ERROR_LINES="10")
    times = [at for stream, at, _ in await printed(engine, name) if stream != STDERR]
    assert times == sorted(times)
    assert len(set(times)) < len(times)


async def test_a_childs_death_for_memory_sets_the_flag_though_the_script_succeeds() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_OOM="child")
    ended = await engine.wait(name)
    assert (ended.exit_code, ended.out_of_memory) == (0, True)


async def test_what_vanishes_takes_its_log_with_it() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_LINES="3", DOUBLE_HOLD="1")
    engine.vanish(name)
    with pytest.raises(ContainerGone):
        await printed(engine, name)
    assert await engine.observe_all(INSTANCE) == []


async def test_an_unfinished_line_is_unseen_until_the_exit() -> None:
    engine = DoubleEngine()
    name = await started(engine, DOUBLE_HOLD="1")
    engine.write(name, b"10 %\r")
    engine.write(name, b"20 %\r", STDERR)
    assert await printed(engine, name) == []
    engine.write(name, b"done\n")
    assert [text for _, _, text in await printed(engine, name)] == [b"10 %\rdone\n"]
    engine.release(name)
    assert [text for _, _, text in await printed(engine, name)] == [b"10 %\rdone\n", b"20 %\r"]
