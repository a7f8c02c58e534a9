"""The examples: discovered without a word of complaint, and doing what they say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from events.pipeline import PipelineDefined
from fastflow.pipelines.definition import Defaults, define
from fastflow.pipelines.listing import places
from fastflow.pipelines.pause import Pause
from fastflow.pipelines.reading import read
from fastflow.pipelines.tree import look

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = ["broken_invoice", "chatty", "loan_plan", "merge_customers", "sales_report", "slow_count"]
LINES_MAX = 60
DEADLINE_SECONDS = 60


@pytest.mark.anyio
async def test_every_example_is_a_pipeline_without_problems() -> None:
    found = await places(EXAMPLES, Pause())
    assert [place.name for place in found] == NAMES
    for place in found:
        tree = await look(place, Pause())
        examined = define(read(place, tree), Defaults("3.11", None))
        assert (place.problem, tree.problems, examined.problems) == (None, (), ())
        definition = examined.definition
        assert isinstance(definition, PipelineDefined)
        assert definition.description
        assert "example" in definition.tags
        assert definition.timeout_seconds
        assert definition.python_version is None
        assert definition.source.count("\n") < LINES_MAX
        needs = {"loan_plan": ("tabulate>=0.9",), "sales_report": ("pandas>=2.2,<4",)}
        assert definition.requirements == needs.get(place.name, ())


def run(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script that needs nothing under this Python."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / script)]
    inherited = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command,
        env={**inherited, **env},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def test_merge_customers_tells_its_steps_and_its_progress(tmp_path: Path) -> None:
    done = run("merge_customers.py", PAUSE_SECONDS="0", TMPDIR=str(tmp_path))
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in lines if line.startswith("::step")] == [
        "::step load",
        "::step match",
        "::step write",
    ]
    told = [line for line in lines if line.startswith("::progress")]
    assert told == [f"::progress {number}/10 Matching batch {number}" for number in range(1, 11)]
    assert (tmp_path / "customers.json").stat().st_size > 100_000


def test_broken_invoice_fails_with_a_traceback() -> None:
    failed = run("broken_invoice.py")
    assert failed.returncode == 1
    assert failed.stdout.splitlines()[-1] == "booking 2025-003;Hamilton GmbH;12O0.00"
    assert failed.stderr.startswith("Traceback (most recent call last):")
    assert failed.stderr.endswith(
        "BadInvoice: invoice 2025-003 of Hamilton GmbH: '12O0.00' is not an amount\n"
    )


def test_chatty_writes_as_many_lines_as_it_is_asked_for() -> None:
    done = run("chatty.py", LINES="5000")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) + len(done.stderr.splitlines()) == 5001
    assert len(done.stderr.splitlines()) == 50
    assert done.stdout.startswith("\x1b[32mINFO   \x1b[0m")


def test_slow_count_counts_to_the_end() -> None:
    done = run("slow_count.py", TICKS="1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "counted to the end")


def test_slow_count_stops_politely_when_it_is_asked_to() -> None:
    command = [sys.executable, str(EXAMPLES / "slow_count.py")]
    with subprocess.Popen(command, env={"TICKS": "1000"}, stdout=subprocess.PIPE, text=True) as counting:
        assert counting.stdout is not None
        assert "second 1 of 1000" in counting.stdout.readline()
        counting.send_signal(signal.SIGTERM)
        last = counting.communicate(timeout=DEADLINE_SECONDS)[0].splitlines()[-2:]
    assert last[-1] == "stopped in good order"
    assert last[0].startswith("SIGTERM received: putting everything in order after")
    assert counting.returncode == 143
