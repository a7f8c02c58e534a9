"""Discovery that watches: changes are noticed by themselves, once they have settled."""

from __future__ import annotations

import asyncio
import os

import pytest

from events.errors import DatabaseAway
from fastflow.domain.pipeline import PipelineCommand
from fastflow.pipelines import discovery as looking
from tests.fastflow.pipelines.world import DEADLINE_SECONDS, World

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


async def test_changes_are_noticed_without_a_restart(watched: World) -> None:
    watched.write({"a.py": "print(1)"})
    await watched.until("a", lambda kinds: kinds == ["Defined"])
    watched.write({"a.py": "print(2)"})
    await watched.until("a", lambda kinds: kinds == ["Defined"] * 2)
    watched.write({"a.json": '{"tags": 7}'})
    await watched.until("a", lambda kinds: kinds == ["Defined", "Defined", "Broken"])
    (watched.folder / "a.json").unlink()
    await watched.until("a", lambda kinds: kinds[2:] == ["Broken", "Defined"])
    (watched.folder / "a.py").unlink()
    await watched.until("a", lambda kinds: kinds[4:] == ["Gone"])


async def test_a_change_of_the_same_size_and_age_is_noticed(watched: World) -> None:
    watched.write({"a.py": "print(1)"})
    await watched.discovery.scan()
    times = (watched.folder / "a.py").stat()
    watched.write({"a.py": "print(2)"})
    os.utime(watched.folder / "a.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    await watched.until("a", lambda kinds: kinds == ["Defined"] * 2)
    definition = (await watched.state("a")).definition
    assert definition is not None
    assert definition.source == "print(2)"


async def test_files_at_rest_are_taken_at_the_first_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "SETTLED_NANOSECONDS", 0)
    world.write({"a.py": "print(1)"})
    await world.discovery._look(world.discovery._settled)
    assert await world.kinds("a") == ["Defined"]


@pytest.fixture
def restless(world: World, monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """Every look finds the file longer; released once per look."""
    looks = asyncio.Semaphore(0)
    original = world.discovery._look
    sizes = iter(range(1000))

    async def changing(ready: looking.Ready) -> None:
        world.write({"a.py": "x = [" + "1," * next(sizes)})
        await original(ready)
        looks.release()

    monkeypatch.setattr(looking, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(looking, "REST_PER_LOOK", 0.0)
    monkeypatch.setattr(world.discovery, "_look", changing)
    return looks


async def test_what_is_still_being_written_is_not_broken(restless: asyncio.Semaphore, watched: World) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(10):
            await restless.acquire()
    assert await watched.kinds("a") == []


async def test_what_never_rests_is_said_to_be_so_once(
    restless: asyncio.Semaphore, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "RESTLESS_SECONDS_MAX", 0.0)
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        watching = group.create_task(world.discovery.watch())
        for _ in range(10):
            await restless.acquire()
        watching.cancel()
    assert [problem.message for problem in (await world.state("a")).problems] == [looking.RESTLESS]
    assert await world.kinds("a") == ["Broken"]


async def test_a_folder_that_vanishes_under_watch_loses_no_pipeline(watched: World) -> None:
    watched.write({"a.py": "print(1)"})
    await watched.until("a", lambda kinds: kinds == ["Defined"])
    watched.folder.rename(watched.folder.with_name("away"))
    await watched.until("a", lambda kinds: kinds == ["Defined", "Broken"])
    watched.folder.with_name("away").rename(watched.folder)
    await watched.until("a", lambda kinds: kinds == ["Defined", "Broken", "Defined"])


async def test_a_database_that_is_away_is_waited_out(watched: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = asyncio.Event()
    original = watched.discovery._record

    async def away(name: str, command: PipelineCommand) -> None:
        if not failed.is_set():
            failed.set()
            raise DatabaseAway
        await original(name, command)

    monkeypatch.setattr(watched.discovery, "_record", away)
    watched.write({"a.py": "print(1)"})
    async with asyncio.timeout(DEADLINE_SECONDS):
        await failed.wait()
    await watched.until("a", lambda kinds: kinds == ["Defined"])
