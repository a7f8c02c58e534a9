"""Snapshots: the content and nothing else, readable by a run, whole or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fastflow.pipelines.pause import Pause
from fastflow.pipelines.snapshot import Changed, Snapshots
from fastflow.pipelines.tree import Leaf
from tests.fastflow.pipelines.test_files import tree_of
from tests.fastflow.pipelines.world import write

pytestmark = pytest.mark.anyio


async def test_a_snapshot_is_the_content_and_nothing_else(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"main.py": "print()", "data/a.csv": b"\xff\0" * 9, "run.sh": "#!"}
    snapshots = Snapshots(tmp_path / "snapshots")
    keys = set()
    for name in ("one", "two"):
        write(tmp_path / "pipelines" / name, files)
        (tmp_path / "pipelines" / name / "run.sh").chmod(0o700)
        keys.add(await snapshots.take((await tree_of(tmp_path / "pipelines", name)).leaves, Pause()))
    (key,) = keys
    copy = tmp_path / "snapshots" / key
    assert len(key) == 64
    assert {str(path.relative_to(copy)): path.read_bytes() for path in copy.rglob("*") if path.is_file()} == {
        name: content.encode() if isinstance(content, str) else content for name, content in files.items()
    }
    modes = {
        str(path.relative_to(copy)): stat.S_IMODE(path.stat().st_mode) for path in [copy, *copy.rglob("*")]
    }
    assert modes == {".": 0o755, "main.py": 0o444, "data": 0o755, "data/a.csv": 0o444, "run.sh": 0o555}
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [key]


async def test_a_snapshot_can_be_read_by_others_whatever_the_umask_is(tmp_path: Path) -> None:
    write(tmp_path / "pipelines", {"demo/data/main.csv": "1", "demo/main.py": "1"})
    before = os.umask(0o077)
    try:
        key = await Snapshots(tmp_path / "s").take(
            (await tree_of(tmp_path / "pipelines", "demo")).leaves, Pause()
        )
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s" / key / "data").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "s" / key / "data/main.csv").stat().st_mode) == 0o444


async def test_every_difference_is_another_snapshot(tmp_path: Path) -> None:
    variants: list[dict[str, str | bytes]] = [
        {"main.py": "a"}, {"main.py": "b"}, {"main.py": "a", "b": ""}, {"main.py": "a", "c": ""},
        {"main.py": "a", "b/c": ""}, {"main.py": "", "a": ""}, {"main.py": "", "aa": ""},
    ]  # fmt: skip
    keys = set()
    for number, files in enumerate(variants):
        write(tmp_path / "pipelines" / f"p{number}", files)
        leaves = (await tree_of(tmp_path / "pipelines", f"p{number}")).leaves
        keys.add(await Snapshots(tmp_path / "s").take(leaves, Pause()))
    (tmp_path / "pipelines/p0/main.py").chmod(0o755)
    keys.add(
        await Snapshots(tmp_path / "s").take((await tree_of(tmp_path / "pipelines", "p0")).leaves, Pause())
    )
    assert len(keys) == len(variants) + 1


async def test_files_that_change_while_they_are_copied_are_no_snapshot(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "1", "other.py": "1"})
    leaves = tuple(Leaf(name, str(tmp_path / name), 1, False) for name in ("main.py", "other.py"))

    class Meddling(Pause):
        async def __call__(self) -> None:
            write(tmp_path, {"other.py": f"{len(list((tmp_path / 's').glob('.begun-*/*')))} copied"})

    with pytest.raises(Changed):
        await Snapshots(tmp_path / "s").take(leaves, Meddling())
    assert list((tmp_path / "s").iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / ".begun-old", tmp_path / ".begun-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    Snapshots(tmp_path).remove_leftovers()
    assert [path.name for path in tmp_path.iterdir()] == [".begun-young"]
    Snapshots(tmp_path / "missing").remove_leftovers()
