"""Environments are built once, found again without a container, and never found half-built."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from fastflow.engine import EngineAway, Job, Mount, Observed
from fastflow.engine.double import DoubleEngine
from fastflow.engine.environments import DependenciesFailed, Environments
from fastflow.engine.trust import Trust, trust
from tests.fastflow.engine.houses import environments
from tests.fastflow.engine.jobs import INSTANCE, job

DIGEST = "sha256:0"
DEADLINE_SECONDS = 300


class Counting(DoubleEngine):
    """Counts creations; one start may be held."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[Job] = []
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.starting = asyncio.Event()

    async def create(self, job: Job) -> Observed:
        self.created.append(job)
        return await super().create(job)

    async def start(self, name: str) -> Observed:
        self.starting.set()
        await self.may_start.wait()
        return await super().start(name)


async def test_what_was_built_is_found_again_without_a_container(tmp_path: Path) -> None:
    engine = Counting()
    house = environments(engine, tmp_path)
    assert await house.ready(("idna",), None, DIGEST) is None
    built = await house.build(("idna",), None, DIGEST)
    assert built.python == f"/envs/{built.key}/bin/python"
    assert (built.packages, built.lock) == (1, "idna\n")
    for again in (house, environments(engine, tmp_path)):
        assert await again.ready(("idna",), None, DIGEST) == built
        assert await again.build(("idna",), None, DIGEST) == built
    assert len(engine.created) == 1
    assert engine.containers == {}
    assert await house.ready(("idna",), None, "sha256:another") is None
    assert await house.ready(("idna", "six"), None, DIGEST) is None


async def test_two_runs_that_need_the_same_build_it_once(tmp_path: Path) -> None:
    engine = Counting()
    house = environments(engine, tmp_path)
    one, two = await asyncio.gather(*(house.build(("idna",), None, DIGEST) for _ in range(2)))
    assert one == two
    assert len(engine.created) == 1


async def test_a_build_given_up_is_adopted_by_the_next(tmp_path: Path) -> None:
    engine = Counting()
    engine.may_start.clear()
    first = asyncio.create_task(environments(engine, tmp_path).build(("idna",), None, DIGEST))
    await engine.starting.wait()
    first.cancel()
    await asyncio.wait({first})
    engine.may_start.set()
    built = await environments(engine, tmp_path).build(("idna",), None, DIGEST)
    assert built.packages == 1
    assert len(engine.starts) == 1


async def test_a_failure_of_an_earlier_life_is_tried_again(tmp_path: Path) -> None:
    engine = Counting()
    house = environments(engine, tmp_path)
    built = await house.build(("idna",), None, DIGEST)
    await engine.create(engine.created[0])
    await engine.start(engine.created[0].name)
    shutil.rmtree(built.path)
    assert await house.build(("idna",), None, DIGEST) == built
    assert engine.containers == {}


async def test_an_engine_that_goes_away_meanwhile_is_not_a_failure_of_the_dependencies(
    tmp_path: Path,
) -> None:
    engine = Counting()
    engine.may_start.clear()
    house = environments(engine, tmp_path)
    building = asyncio.create_task(house.build(("idna",), None, DIGEST))
    await engine.starting.wait()
    engine.go_away()
    engine.may_start.set()
    with pytest.raises(EngineAway):
        await building
    engine.come_back()
    assert (await house.build(("idna",), None, DIGEST)).packages == 1


async def test_what_cannot_be_resolved_fails_with_uvs_words_and_leaves_nothing(tmp_path: Path) -> None:
    engine = Counting()
    house = environments(engine, tmp_path)
    seen: list[bytes] = []
    with pytest.raises(DependenciesFailed, match="no-such-package-xyz was not found") as failure:
        await house.build(("idna", "no-such-package-xyz"), None, DIGEST, seen.append)
    assert failure.value.detail.splitlines() == [line.decode() for line in seen]
    assert engine.containers == {}
    assert await house.ready(("idna", "no-such-package-xyz"), None, DIGEST) is None


async def test_an_option_among_the_requirements_is_refused_without_a_container(tmp_path: Path) -> None:
    engine = Counting()
    with pytest.raises(DependenciesFailed, match="is an option"):
        await environments(engine, tmp_path).build(("-r/proc/self/environ",), None, DIGEST)
    assert engine.created == []


async def test_leftovers_are_removed_and_what_still_runs_is_not(tmp_path: Path) -> None:
    engine = Counting()
    await environments(engine, tmp_path).build(("idna",), None, DIGEST)
    label = engine.created[0].labels["fastflow-instance"]
    run = job()
    await engine.create(run)
    for name in ("done", "runs"):
        env = {"DOUBLE_HOLD": "1"} if name == "runs" else {}
        await engine.create(Job(name, "image", ("true",), env, {"fastflow-instance": label}))
        await engine.start(name)
    await environments(engine, tmp_path).build(("six",), None, DIGEST)
    assert set(engine.containers) == {"runs", run.name}


class Losing(Counting):
    """Somebody removes each pre-heat container as soon as it runs."""

    async def start(self, name: str) -> Observed:
        seen = await super().start(name)
        self.vanish(name)
        return seen


async def test_a_container_removed_after_its_work_does_not_matter(tmp_path: Path) -> None:
    assert (await environments(Losing(), tmp_path).build(("idna",), None, DIGEST)).packages == 1


async def test_a_container_removed_again_and_again_fails_in_the_end(tmp_path: Path) -> None:
    engine = Losing()
    with pytest.raises(DependenciesFailed, match="was removed"):
        await environments(engine, tmp_path).build(("no-such-package",), None, DIGEST)
    assert len(engine.starts) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not json",
        b"{}",
        b'{"key":"../../etc","lock":"","packages":0,"seconds":0}',
        b'{"key":"%s","lock":"","packages":0,"seconds":0}' % (b"0" * 64),
    ],
    ids=["empty", "rubbish", "fields", "escape", "absent"],
)
async def test_an_answer_that_makes_no_sense_is_no_environment(tmp_path: Path, answer: bytes) -> None:
    house = environments(DoubleEngine(), tmp_path)
    built = await house.build(("idna",), None, DIGEST)
    (file,) = (tmp_path / "environments" / "tree" / ".answers").iterdir()
    file.write_bytes(answer)
    assert await house.ready(("idna",), None, DIGEST) is None
    assert await house.build(("idna",), None, DIGEST) == built


async def test_a_link_in_place_of_an_environment_or_an_answer_is_never_followed(tmp_path: Path) -> None:
    house = environments(DoubleEngine(), tmp_path)
    built = await house.build(("idna",), None, DIGEST)
    moved = built.path.rename(tmp_path / "elsewhere")
    built.path.symlink_to(moved)
    assert await house.ready(("idna",), None, DIGEST) is None
    built.path.unlink()
    moved.rename(built.path)
    assert await house.ready(("idna",), None, DIGEST) == built
    (file,) = (tmp_path / "environments" / "tree" / ".answers").iterdir()
    file.rename(tmp_path / "answer")
    file.symlink_to(tmp_path / "answer")
    assert await house.ready(("idna",), None, DIGEST) is None


async def test_a_half_built_environment_is_not_found(tmp_path: Path) -> None:
    house = environments(DoubleEngine(), tmp_path)
    built = await house.build(("idna",), None, DIGEST)
    (built.path / ".ready").unlink()
    assert await house.ready(("idna",), None, DIGEST) is None


async def test_a_password_in_the_index_reaches_the_container_and_nothing_else(tmp_path: Path) -> None:
    engine = Counting()
    trusted = trust({"PIP_INDEX_URL": "https://me:hidden@example.org/simple"})
    house = environments(engine, tmp_path, trusted)
    built = await house.build(("six @ https://me:hidden@example.org/six.whl",), None, DIGEST)
    made = engine.created[0]
    assert made.env["UV_DEFAULT_INDEX"] == "https://me:hidden@example.org/simple"
    assert "hidden" not in json.dumps(dict(made.labels)) + made.name + built.lock
    with pytest.raises(DependenciesFailed) as failure:
        await house.build(("no-such-package @ https://me:hidden@example.org/a.whl",), None, DIGEST)
    assert "hidden" not in failure.value.detail
    renewed = environments(engine, tmp_path, trust({"PIP_INDEX_URL": "https://me:newer@example.org/simple"}))
    assert await renewed.ready(("six @ https://me:hidden@example.org/six.whl",), None, DIGEST) == built


async def test_a_cache_elsewhere_is_mounted_in_a_folder_of_ours(tmp_path: Path) -> None:
    engine = Counting()
    cache = tmp_path / "cache"
    house = Environments(engine, tmp_path / "environments", instance=INSTANCE, trust=Trust(), cache=cache)
    await house.build(("idna",), None, DIGEST)
    made = engine.created[0]
    assert Mount(str(cache / "environments"), "/uv-cache", read_only=False) in made.mounts
    assert (made.env["UV_CACHE_DIR"], made.env["UV_LINK_MODE"]) == ("/uv-cache", "copy")
