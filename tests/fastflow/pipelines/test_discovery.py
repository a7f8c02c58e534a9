"""Discovery on a real log: what is appended when files come, change, break, come back and go."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import suppress

import pytest

from events.pipeline import PipelineDefined
from fastflow.commands import Commands
from fastflow.pipelines import discovery as looking
from fastflow.pipelines.definition import NOTEBOOK, Defaults, Examined, define
from fastflow.pipelines.fields import NAME_WORDING
from fastflow.pipelines.written import Written
from tests.fastflow.pipelines.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


async def test_both_forms_are_found_and_defined(world: World) -> None:
    world.write(
        {
            "hello.py": '# /// script\n# dependencies = ["rich"]\n# ///\nprint("hello")\n',
            "hello.json": '{"description": "says hello", "timeout": 5}',
            "report/main.py": "print(open('a.csv').read())\n",
            "report/a.csv": "1,2\n",
            "report/requirements.txt": "pandas>=2\n",
        }
    )
    await world.discovery.scan()
    (hello,) = await world.events("hello")
    (report,) = await world.events("report")
    assert isinstance(hello, PipelineDefined)
    assert isinstance(report, PipelineDefined)
    assert (hello.form, hello.entry, hello.requirements, hello.timeout_seconds) == (
        "file",
        "hello.py",
        ("rich",),
        5,
    )
    assert (hello.description, hello.configuration) == (
        "says hello",
        {"description": "says hello", "timeout": 5},
    )
    assert (report.form, report.entry, report.requirements, report.timeout_seconds) == (
        "folder",
        "main.py",
        ("pandas>=2",),
        60,
    )
    assert [path.name for path in (world.snapshots / hello.snapshot).iterdir()] == ["hello.py"]
    assert (world.snapshots / report.snapshot / "a.csv").read_text() == "1,2\n"


async def test_nothing_is_appended_when_nothing_changed(world: World) -> None:
    world.write({"one.py": "print()", "two/main.py": "print(", "three.py": "", "three.json": '{"x": 1}'})
    for _ in range(3):
        await world.discovery.scan()
    os.utime(world.folder / "one.py")
    await world.discovery.scan()
    await world.again().scan()
    world.commands = Commands(world.store)
    await world.again().scan()
    assert [await world.kinds(name) for name in ("one", "two", "three")] == [
        ["Defined"],
        ["Broken"],
        ["Defined"],
    ]


async def test_an_unchanged_tree_costs_no_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SETTLED_NANOSECONDS", 0)
    world.write({f"p{number}/main.py": "print()" for number in range(20)})
    await world.discovery.scan()

    def read_again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(looking, "read", read_again)
    await world.discovery.scan()
    assert await world.kinds("p7") == ["Defined"]


async def test_the_last_good_version_stays_in_force(world: World) -> None:
    world.write({"demo/main.py": "print(1)\n", "demo/pipeline.json": '{"tags": ["a"]}'})
    await world.discovery.scan()
    good = (await world.state("demo")).definition
    world.write({"demo/main.py": "print(2\n"})
    await world.discovery.scan()
    world.write({"demo/main.py": "print(3)\n", "demo/pipeline.json": '{\n"tags": "a"}'})
    await world.discovery.scan()
    state = await world.state("demo")
    assert state.definition == good
    (problem,) = state.problems
    assert (problem.file, problem.line, problem.field, problem.message) == (
        "demo/pipeline.json",
        2,
        "tags",
        "must be a list, not text",
    )
    world.write({"demo/pipeline.json": '{"tags": ["b"]}'})
    await world.discovery.scan()
    state = await world.state("demo")
    assert state.definition is not None
    assert (state.definition.tags, state.definition.source, state.problems) == (("b",), "print(3)\n", ())
    assert await world.kinds("demo") == ["Defined", "Broken", "Broken", "Defined"]


async def test_every_kind_of_broken_pipeline_is_shown(world: World) -> None:
    world.write(
        {
            "notebook/main.ipynb": "{}",
            "empty/pipeline.json": "{}",
            "twice.py": "",
            "twice/main.py": "",
            "my report.py": "",
            "needs/main.py": "",
            "needs/requirements.txt": "-r other.txt\n",
            "blocks.py": "# /// script\n# a=1\n# ///\n\n# /// script\n# a=1\n# ///\n",
        }
    )
    (world.folder / "needs" / "link").symlink_to("/etc/passwd")
    await world.discovery.scan()
    messages = {
        name: [
            f"{problem.file}:{problem.line} {problem.message}"
            for problem in (await world.state(name)).problems
        ]
        for name in ("notebook", "empty", "twice", "my_report", "needs", "blocks")
    }
    assert messages == {
        "notebook": [f"notebook/main.ipynb:None {NOTEBOOK}"],
        "empty": ["empty:None has a configuration but no `main.py`"],
        "twice": ["twice:None twice and twice.py are both named twice; rename or remove one"],
        "my_report": [f"my report.py:None cannot be a pipeline's name: {NAME_WORDING}"],
        "needs": ["needs/link:None is a link out of the folder, which is not followed"],
        "blocks": ["blocks.py:5 has a second `# /// script` block (the first is in line 1)"],
    }


async def test_what_is_gone_is_gone_and_what_comes_back_is_back(world: World) -> None:
    world.write({"a.py": "print()", "b/main.py": "print("})
    await world.discovery.scan()
    (world.folder / "a.py").unlink()
    shutil.rmtree(world.folder / "b")
    await world.discovery.scan()
    await world.discovery.scan()
    assert (await world.kinds("a"), await world.kinds("b")) == (["Defined", "Gone"], ["Broken", "Gone"])
    world.write({"a.py": "print()"})
    await world.discovery.scan()
    assert await world.kinds("a") == ["Defined", "Gone", "Defined"]


async def test_what_goes_while_nobody_looks_is_noticed_at_the_next_start(world: World) -> None:
    world.write({"a.py": "print()", "b.py": "print()", "c.py": "print()"})
    await world.discovery.scan()
    (world.folder / "a.py").unlink()
    await world.again().scan()
    assert await world.kinds("a") == ["Defined", "Gone"]
    (world.folder / "b.py").unlink()
    (world.snapshots / ".seen.json").write_bytes(b"\xff not json")
    await world.again().scan()
    assert (await world.kinds("a"), await world.kinds("b")) == (["Defined", "Gone"], ["Defined", "Gone"])
    assert await world.kinds("c") == ["Defined"]


async def test_a_folder_that_vanishes_loses_no_pipeline(world: World) -> None:
    world.write({"a.py": "print()", "b.py": "print("})
    await world.discovery.scan()
    world.folder.rename(world.folder.with_name("away"))
    await world.discovery.scan()
    await world.again().scan()
    state = await world.state("a")
    assert state.definition is not None
    assert not state.gone
    assert state.problems[0].message == (
        f"the pipelines folder {world.folder} cannot be read: No such file or directory; "
        "the last good version stays in force"
    )
    assert world.discovery.trouble is not None
    world.folder.with_name("away").rename(world.folder)
    await world.discovery.scan()
    assert world.discovery.trouble is None
    assert await world.kinds("a") == ["Defined", "Broken", "Defined"]
    assert await world.kinds("b") == ["Broken", "Broken", "Broken"]


async def test_a_folder_that_was_never_there_is_only_said(world: World) -> None:
    world.folder.rmdir()
    await world.discovery.scan()
    assert world.discovery.trouble is not None
    assert await world.store.head() == 0
    world.folder.write_text("a file")
    await world.discovery.scan()
    assert "Not a directory" in (world.discovery.trouble or "")


async def test_one_pipeline_that_cannot_be_examined_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(written: Written, defaults: Defaults) -> Examined:
        if written.name == "a":
            raise KeyError(written.name)
        return define(written, defaults)

    monkeypatch.setattr(looking, "define", mistaken)
    world.write({"a.py": "print()", "b.py": "print()"})
    await world.discovery.scan()
    assert (await world.kinds("a"), await world.kinds("b")) == (["Broken"], ["Defined"])


async def test_two_looks_at_once_are_one_after_the_other(world: World) -> None:
    world.write({f"p{number}.py": "print()" for number in range(10)})
    await asyncio.gather(*(world.discovery.scan() for _ in range(4)), world.again().scan())
    assert [await world.kinds(f"p{number}") for number in range(10)] == [["Defined"]] * 10


async def test_the_event_loop_is_never_held_for_long(world: World) -> None:
    world.write({f"p{number}/main.py": "print()\n" * 200 for number in range(200)})
    held: list[float] = []

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0)
            held.append(loop.time() - before)

    beating = asyncio.create_task(beat())
    await world.discovery.scan()
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    assert len(held) > 200


async def test_odd_files_never_stop_the_look(world: World) -> None:
    chance = random.Random(7)  # noqa: S311 - the same odd files every time
    names = [b"main.py", b"pipeline.json", b"requirements.txt", b"\xff.py", b"a\nb.py", b"x" * 200]
    for number in range(30):
        folder = world.folder / f"p{number}"
        folder.mkdir()
        for name in chance.sample(names, 3):
            (folder / os.fsdecode(name)).write_bytes(chance.randbytes(chance.randrange(80)))
    (world.folder / os.fsdecode(b"\xff\n.py")).write_bytes(b"\0")
    world.write({"z.py": "print()"})
    await world.discovery.scan()
    await world.again().scan()
    assert await world.kinds("z") == ["Defined"]
