"""What is found in PIPELINES_DIR, and what belongs to a pipeline."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflow.pipelines import tree as trees
from fastflow.pipelines.listing import Place, places
from fastflow.pipelines.pause import Pause
from fastflow.pipelines.reading import CannotRead, read
from fastflow.pipelines.snapshot import Snapshots
from fastflow.pipelines.tree import Tree, look
from tests.fastflow.pipelines.world import write

pytestmark = pytest.mark.anyio


async def found(folder: Path) -> list[Place]:
    return await places(folder, Pause())


async def tree_of(folder: Path, name: str) -> Tree:
    place = next(place for place in await found(folder) if place.name == name)
    return await look(place, Pause())


def problems(tree: Tree) -> list[tuple[str, str, str]]:
    return [(problem.file, problem.message, problem.severity) for problem in tree.problems]


async def test_files_and_folders_are_pipelines_by_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "one.py": "", "one.json": "{}", "two/main.py": "", "two.json": "{}", "three/main.ipynb": "{}",
            "four/pipeline.json": "{}", "five/five.json": "{}", "v1.2-final.py": "",
            "_shared.py": "", ".hidden.py": "", "__pycache__/main.py": "", ".git/main.py": "",
            "lib/code.py": "", "README.md": "", "notes.json": "{}", "data/a.csv": "",
        },
    )  # fmt: skip
    names = [(place.name, place.form, place.shown, place.problem) for place in await found(tmp_path)]
    assert names == [
        ("five", "folder", "five", None),
        ("four", "folder", "four", None),
        ("one", "file", "one.py", None),
        ("three", "folder", "three", None),
        ("two", "folder", "two", None),
        ("v1.2-final", "file", "v1.2-final.py", None),
    ]


async def test_a_name_that_cannot_be_one_is_shown_and_not_run(tmp_path: Path) -> None:
    write(tmp_path, {"my report.py": "", "größe/main.py": "", "x" * 80 + ".py": "", "日本.py": ""})
    (tmp_path / os.fsdecode(b"bad\xff.py")).write_text("")
    shown = {place.name: place.problem.file if place.problem else None for place in await found(tmp_path)}
    assert shown == {
        "my_report": "my report.py",
        "gr_e": "größe",
        "x" * 64: "x" * 80 + ".py",
        "unnamed_2": "日本.py",
        "bad_": "bad?.py",
    }


async def test_two_of_one_name_are_neither(tmp_path: Path) -> None:
    write(tmp_path, {"report.py": "", "report/main.py": ""})
    (place,) = await found(tmp_path)
    assert place.problem is not None
    assert place.problem.message == "report and report.py are both named report; rename or remove one"


async def test_a_pipeline_is_its_regular_files(tmp_path: Path) -> None:
    write(
        tmp_path / "demo",
        {
            "main.py": "1", "data/a.csv": "2", "pipeline.json": "{}", ".env": "", ".git/config": "",
            "__pycache__/main.pyc": "", "old.pyc": "", "venv/pyvenv.cfg": "", "venv/lib/x.py": "",
            "run.sh": "#!",
        },
    )  # fmt: skip
    (tmp_path / "demo" / "run.sh").chmod(0o755)
    (tmp_path / "demo" / "empty").mkdir()
    tree = await tree_of(tmp_path, "demo")
    assert [(leaf.below, leaf.executable) for leaf in tree.leaves] == [
        ("data/a.csv", False),
        ("main.py", False),
        ("pipeline.json", False),
        ("run.sh", True),
    ]
    assert problems(tree) == []


async def test_links_are_followed_only_within_the_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "demo", {"main.py": "", "lib/real.py": "x"})
    (tmp_path / "secret").write_text("hunter2")
    (folder / "inside.py").symlink_to("lib/real.py")
    (folder / "outside").symlink_to(tmp_path / "secret")
    (folder / "escape").symlink_to("../secret")
    (folder / "nothing").symlink_to("missing")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").symlink_to("lib")
    os.mkfifo(folder / "pipe")
    tree = await tree_of(tmp_path, "demo")
    assert [leaf.below for leaf in tree.leaves] == ["inside.py", "lib/real.py", "main.py"]
    assert problems(tree) == [
        ("demo/escape", "is a link out of the folder, which is not followed", "error"),
        ("demo/folder", "is not a file but a folder, or a link to one or to itself", "error"),
        ("demo/loop", "is not a file but a folder, or a link to one or to itself", "error"),
        ("demo/nothing", "cannot be read: No such file or directory", "error"),
        ("demo/outside", "is a link out of the folder, which is not followed", "error"),
        ("demo/pipe", "is neither a file nor a folder and is left out", "warning"),
    ]


async def test_a_linked_pipeline_must_lie_in_the_pipelines_folder(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: every name links into a hidden folder beside it."""
    pipelines = tmp_path / "pipelines"
    write(pipelines, {"..2026/demo.py": "print()", "..2026/demo.json": "{}", "..2026/more/main.py": ""})
    write(tmp_path, {"elsewhere/main.py": "", "other.py": ""})
    (pipelines / "..data").symlink_to("..2026")
    for name in ("demo.py", "demo.json", "more"):
        (pipelines / name).symlink_to(f"..data/{name}")
    (pipelines / "far").symlink_to(tmp_path / "elsewhere")
    (pipelines / "other.py").symlink_to(tmp_path / "other.py")
    demo = await tree_of(pipelines, "demo")
    assert [leaf.below for leaf in demo.leaves] == ["demo.py"]
    assert demo.beside is not None
    place = (await found(pipelines))[0]
    assert read(place, demo).configurations[0].content == b"{}"
    assert [leaf.below for leaf in (await tree_of(pipelines, "more")).leaves] == ["main.py"]
    message = "is a link to a folder elsewhere, which is not followed"
    assert problems(await tree_of(pipelines, "far")) == [("far", message, "error")]
    message = "is a link out of the folder, which is not followed"
    assert problems(await tree_of(pipelines, "other")) == [("other.py", message, "error")]


async def test_a_pipeline_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "demo", {"main.py": "", "a/b": "12", "a/c": "34"})
    monkeypatch.setattr(trees, "BYTES_MAX", 3)
    assert problems(await tree_of(tmp_path, "demo"))[0][1].startswith("holds more than")
    monkeypatch.setattr(trees, "FILES_MAX", 3)
    assert problems(await tree_of(tmp_path, "demo"))[0][1] == "holds more than 3 files; keep data elsewhere"


async def test_the_signature_changes_with_every_change(tmp_path: Path) -> None:
    write(tmp_path, {"demo/main.py": "1", "demo.json": "{}"})
    seen = {(await tree_of(tmp_path, "demo")).signature}
    assert (await tree_of(tmp_path, "demo")).signature in seen
    for change in ("demo/main.py", "demo/new.py", "demo.json", "demo/pipeline.json"):
        write(tmp_path, {change: f"{change} is longer"})
        seen.add((await tree_of(tmp_path, "demo")).signature)
    (tmp_path / "demo/main.py").chmod(0o755)
    seen.add((await tree_of(tmp_path, "demo")).signature)
    (tmp_path / "demo/new.py").unlink()
    seen.add((await tree_of(tmp_path, "demo")).signature)
    (tmp_path / "demo.json").unlink()
    seen.add((await tree_of(tmp_path, "demo")).signature)
    assert len(seen) == 8


async def test_texts_are_read_up_to_a_size(tmp_path: Path) -> None:
    write(tmp_path / "demo", {"main.py": "1", "pipeline.json": " " * 200_000, "demo.json": "{}"})
    place = (await found(tmp_path))[0]
    with pytest.raises(CannotRead) as refused:
        read(place, await look(place, Pause()))
    assert (refused.value.problem.file, refused.value.problem.message) == (
        "demo/pipeline.json",
        "is larger than 128 KiB",
    )
    write(tmp_path, {"demo/pipeline.json": "{}", "demo.json": "{}", "demo/requirements.txt": "rich"})
    place = (await found(tmp_path))[0]
    written = read(place, await look(place, Pause()))
    assert [text.file for text in written.configurations] == [
        "demo/pipeline.json",
        "demo/demo.json",
        "demo.json",
    ]
    assert written.requirements is not None


async def test_a_file_replaced_by_a_link_after_the_look_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"demo.py": "1", "secret": "hunter2"})
    place = (await found(tmp_path))[0]
    tree = await look(place, Pause())
    (tmp_path / "demo.py").unlink()
    (tmp_path / "demo.py").symlink_to("secret")
    with pytest.raises(CannotRead):
        read(place, tree)


FILE_NAMES = st.sampled_from(
    ["main.py", "pipeline.json", "a.py", "a.json", "requirements.txt", "b/main.py", "b.json"]
)
ODD_NAMES = st.binary(min_size=1, max_size=8).filter(
    lambda n: not {b"/"[0], 0} & set(n) and n not in (b".", b"..")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(FILE_NAMES | ODD_NAMES.map(os.fsdecode), st.binary(max_size=60), max_size=6))
async def test_any_files_are_found_looked_at_and_read(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, content in files.items():
        path = folder / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (folder / Path(name).name).write_bytes(content)
    for place in await found(folder):
        tree = await look(place, Pause())
        assert read(place, tree).place
        assert await Snapshots(folder / "s").take(tree.leaves, Pause())
        for problem in [*tree.problems, *([place.problem] if place.problem else [])]:
            assert problem.file.encode("utf-8")
