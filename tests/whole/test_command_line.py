"""The command line as a person types it, against the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bench.program import Program, finished
from tests.whole.conftest import ROOT, command_line

SCRIPTS = {
    "fine.py": "print('one')\nprint('two')\n",
    "seven.py": "import sys\nprint('about to fail', file=sys.stderr)\nsys.exit(7)\n",
    "unresolvable.py": (
        '# /// script\n# dependencies = ["no-such-package-fastflow-xyz==99"]\n# ///\nprint("never")\n'
    ),
    "said.py": "import os\nprint(os.environ['GREETING'])\n",
    "wrong.py": "print('unfinished\n",
}


@pytest.fixture
async def scripts(tmp_path: Path) -> AsyncIterator[Program]:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    running = Program(tmp_path / "data", folder)
    await running.start()
    try:
        await running.ready()
        yield running
    finally:
        await running.stop()


async def test_what_a_run_prints_and_exits_with_is_what_the_script_did(scripts: Program) -> None:
    fine = command_line(scripts, "run", "fine", "--follow")
    assert (fine.returncode, fine.stdout) == (0, "one\ntwo\n")

    seven = command_line(scripts, "run", "seven", "--follow")
    assert seven.returncode == 7
    assert "about to fail" in seven.stderr
    assert seven.stdout == ""

    said = command_line(scripts, "run", "said", "--follow", "--env", "GREETING=good morning")
    assert said.stdout == "good morning\n"

    run = command_line(scripts, "run", "fine").stdout.strip()
    assert command_line(scripts, "logs", "-f", run).stdout == "one\ntwo\n"
    assert command_line(scripts, "logs", run).stdout == "one\ntwo\n"
    listed = json.loads(command_line(scripts, "runs", "--json").stdout)
    assert [row["pipeline"] for row in listed] == ["fine", "said", "seven", "fine"]
    assert "seven" in command_line(scripts, "runs", "--status", "failed").stdout


async def test_nonsense_is_answered_with_one_line(scripts: Program) -> None:
    unknown = command_line(scripts, "run", "fin")
    assert unknown.returncode == 2
    assert "did you mean 'fine'" in unknown.stderr
    assert len(unknown.stderr.splitlines()) == 1
    assert command_line(scripts, "logs", "not-a-run").returncode == 2

    broken = command_line(scripts, "run", "wrong")
    assert broken.returncode == 2
    assert "wrong.py, line 1" in broken.stderr

    nobody = command_line(scripts, "--url", "http://127.0.0.1:9", "runs")
    assert nobody.returncode == 3
    assert "fastflow up" in nobody.stderr


async def test_dependencies_that_do_not_resolve_end_the_log_with_the_words_of_uv(scripts: Program) -> None:
    async with httpx.AsyncClient(base_url=scripts.url, timeout=120) as client:
        run = (await client.post("/api/pipelines/unresolvable/run")).json()["id"]
        over = await finished(client, run)
        log = (await client.get(f"/api/runs/{run}/logs")).text

    assert (over["status"], over["reason"]) == ("FAILED", "dependencies_failed")
    assert "no-such-package-fastflow-xyz" in log


async def test_the_log_is_sound_and_read_models_can_be_built_again_meanwhile(scripts: Program) -> None:
    assert command_line(scripts, "run", "fine", "--follow").returncode == 0
    environ = {**os.environ, "DATA_DIR": str(scripts.data)}

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fastflow", *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    async with httpx.AsyncClient(base_url=scripts.url) as client:
        before = (await client.get("/api/runs")).json()
        rebuilt = ask("rebuild")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert (await client.get("/api/runs")).json() == before
    assert "sound" in ask("verify").stdout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAX_CONCURENT_RUNS", "3", "did you mean MAX_CONCURRENT_RUNS"),
        ("PORT", "abc", "PORT=abc"),
        ("HOST", "0.0.0.0", "no login yet"),  # noqa: S104  the address that must be refused
    ],
)
def test_a_setting_that_cannot_be_meant_stops_the_start_with_one_line(
    name: str, value: str, words: str
) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "fastflow", "up"],
        env={**os.environ, name: value},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 2
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
