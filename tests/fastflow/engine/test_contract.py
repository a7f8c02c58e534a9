"""What every engine must do; the double and Docker are held to the same words."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from fastflow.engine import (
    STDERR,
    ContainerGone,
    Engine,
    EngineRefused,
    ImageMissing,
    Mount,
    NameTaken,
)
from fastflow.engine.double import DoubleEngine
from tests.fastflow.engine.jobs import IMAGE, INSTANCE, job
from tests.fastflow.engine.watching import DEADLINE_SECONDS, close, finished, printed, running, text, until


async def test_probe_says_who_answers_and_whether_the_image_is_there(engine: Engine) -> None:
    found = await engine.probe(IMAGE)
    assert found.version
    assert abs(found.clock_skew_seconds) < 5
    assert found.image_digest is not None
    assert found.image_digest.startswith("sha256:")


async def test_probe_says_that_the_image_is_missing(engine: Engine) -> None:
    missing = "fastflow-no-such-image:1"
    if isinstance(engine, DoubleEngine):
        engine.missing_images.add(missing)
    assert (await engine.probe(missing)).image_digest is None


async def test_create_gives_a_container_that_does_not_run_yet(engine: Engine) -> None:
    made = job()
    seen = await engine.create(made)
    assert (seen.name, seen.state, seen.attempt) == (made.name, "created", 1)
    assert seen.run == made.labels["fastflow-run-id"]
    assert (seen.exit_code, seen.started_at, seen.finished_at) == (None, None, None)
    await engine.remove(made.name)


async def test_a_second_create_adopts_the_first(engine: Engine) -> None:
    made = job(DOUBLE_HOLD="1")
    async with running(engine, made):
        before = await engine.observe(made.name)
        again = await engine.create(made)
        assert again == before
        assert again.state == "running"


async def test_a_create_after_the_image_went_still_adopts(engine: Engine) -> None:
    made = job(DOUBLE_HOLD="1")
    async with running(engine, made):
        missing = "fastflow-no-such-image:1"
        if isinstance(engine, DoubleEngine):
            engine.missing_images.add(missing)
        again = await engine.create(dataclasses.replace(made, image=missing))
        assert again.state == "running"


async def test_a_name_somebody_else_took_is_not_adopted(engine: Engine) -> None:
    made = job()
    foreign = dataclasses.replace(made, labels={**made.labels, "fastflow-run-id": "another"})
    await engine.create(foreign)
    with pytest.raises(NameTaken):
        await engine.create(made)
    await engine.remove(made.name)


async def test_a_missing_image_is_said_at_create(engine: Engine) -> None:
    made = job(image="fastflow-no-such-image:1")
    if isinstance(engine, DoubleEngine):
        engine.missing_images.add(made.image)
    with pytest.raises(ImageMissing):
        await engine.create(made)
    with pytest.raises(ContainerGone):
        await engine.observe(made.name)


async def test_a_second_start_changes_nothing(engine: Engine) -> None:
    made = job(DOUBLE_HOLD="1")
    async with running(engine, made):
        first = await engine.observe(made.name)
        assert await engine.start(made.name) == first


async def test_an_ended_script_is_never_run_again_by_a_start(engine: Engine) -> None:
    made = job(DOUBLE_LINES="1", DOUBLE_EXIT_CODE="5")
    async with running(engine, made):
        ended = await engine.wait(made.name)
        again = await engine.start(made.name)
        assert again == ended
        assert text(await printed(engine, made.name)) == b"line 1\n"


async def test_a_start_the_engine_refuses_is_refused_again_and_leaves_it_created(
    engine: Engine, tmp_path: Path
) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    made = dataclasses.replace(
        job(DOUBLE_START_FAIL=f"bind source path does not exist: {shown}"),
        mounts=(Mount(str(shown), "/app"),),
    )
    await engine.create(made)
    shown.rmdir()
    for _ in range(2):
        with pytest.raises(EngineRefused, match=str(shown)):
            await engine.start(made.name)
    seen = await engine.observe(made.name)
    assert (seen.state, seen.exit_code) == ("created", None)
    await engine.remove(made.name)


async def test_a_command_that_does_not_exist_ends_with_127_and_inits_words(engine: Engine) -> None:
    ended, pieces = await finished(engine, job(("no-such-command",)))
    assert ended.exit_code == 127
    assert b"no-such-command failed: No such file" in text(pieces, STDERR)


@pytest.mark.parametrize("code", [0, 3])
async def test_wait_gives_the_exit_code(engine: Engine, code: int) -> None:
    ended, _ = await finished(engine, job(DOUBLE_EXIT_CODE=str(code)))
    assert (ended.state, ended.exit_code, ended.out_of_memory) == ("exited", code, False)
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert ended.finished_at >= ended.started_at


async def test_wait_before_the_start_waits_for_the_end(engine: Engine) -> None:
    made = job(DOUBLE_EXIT_CODE="4")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await engine.create(made)
        waiting = asyncio.create_task(engine.wait(made.name))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        await engine.start(made.name)
        assert (await waiting).exit_code == 4
        await engine.remove(made.name)


@pytest.mark.parametrize(("ignores", "expected"), [(False, 143), (True, 137)])
async def test_signals_end_the_script(engine: Engine, *, ignores: bool, expected: int) -> None:
    made = job(DOUBLE_HOLD="1", DOUBLE_LINES="1")
    if ignores:
        made = dataclasses.replace(made, env={**made.env, "DOUBLE_IGNORE_TERM": "1"})
    async with running(engine, made):
        await until(engine, made, 1)
        await engine.signal(made.name, "TERM")
        if ignores:
            await engine.signal(made.name, "KILL")
        ended = await engine.wait(made.name)
        assert (ended.exit_code, ended.out_of_memory) == (expected, False)
        await engine.signal(made.name, "TERM")
        assert await engine.observe(made.name) == ended


async def test_too_much_memory_is_told_apart_from_a_kill(engine: Engine) -> None:
    made = job(memory_limit_bytes=32 << 20, DOUBLE_MEMORY=str(256 << 20))
    ended, _ = await finished(engine, made)
    assert (ended.exit_code, ended.out_of_memory) == (137, True)


async def test_a_container_removed_behind_our_back_is_gone(engine: Engine) -> None:
    made = job(DOUBLE_HOLD="1", DOUBLE_LINES="1")
    async with running(engine, made):
        await until(engine, made, 1)
        follow = asyncio.create_task(printed(engine, made.name, follow=True))
        waiting = asyncio.create_task(engine.wait(made.name))
        await asyncio.wait({waiting, follow}, timeout=0.2)
        await engine.remove(made.name)
        with pytest.raises(ContainerGone):
            await waiting
        assert text(await follow) == b"line 1\n"
        with pytest.raises(ContainerGone):
            await engine.observe(made.name)
        with pytest.raises(ContainerGone):
            await engine.wait(made.name)
        with pytest.raises(ContainerGone):
            await printed(engine, made.name)
        with pytest.raises(ContainerGone):
            await engine.signal(made.name, "TERM")
        with pytest.raises(ContainerGone):
            await engine.start(made.name)


async def test_remove_is_success_however_often(engine: Engine) -> None:
    made = job(DOUBLE_HOLD="1")
    async with running(engine, made):
        await asyncio.gather(engine.remove(made.name), engine.remove(made.name))
        await engine.remove(made.name)
    await engine.remove("ff-never-was")


async def test_all_of_an_instance_are_seen_and_nobody_elses(engine: Engine) -> None:
    made, other = job(DOUBLE_HOLD="1"), job()
    other = dataclasses.replace(other, labels={**other.labels, "fastflow-instance": f"{INSTANCE}-other"})
    await engine.create(other)
    async with running(engine, made):
        seen = {found.name: found for found in await engine.observe_all(INSTANCE)}
        assert seen[made.name] == await engine.observe(made.name)
        assert other.name not in seen
    await engine.remove(other.name)


async def test_wakeups_name_the_container_something_happened_to(engine: Engine) -> None:
    made = job(DOUBLE_HOLD="1")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await engine.create(made)
        hints = aiter(engine.wakeups(INSTANCE))
        first = asyncio.ensure_future(anext(hints))
        await asyncio.wait({first}, timeout=0.2)
        await engine.start(made.name)
        assert await first == made.name
        await engine.signal(made.name, "KILL")
        assert await anext(hints) == made.name
        await close(hints)
        await engine.remove(made.name)
