"""Numbers, sentences and small pictures, as people read them."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import msgspec
import pytest

from events.run import FailureReason, RunRequested
from projections.run_detail import RunDetail
from projections.run_list import RunRow, Status
from projections.run_parts import Attempt, Setup, Signalled, Stop
from web import drawing, log_lines, sentences, source, words
from web.parts import Part

AT = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return AT + dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (999.4, "999 ms"),
        (1000, "1.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min 00 s"),
        (185_000, "3 min 05 s"),
        (3_599_900, "1 h 00 min"),
        (7_440_000, "2 h 04 min"),
    ],
)
async def test_spans_of_time(milliseconds: float | None, text: str) -> None:
    assert words.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1 << 40, "1.0 TiB"),
        (512 << 20, "512 MiB"),
    ],
)
async def test_bytes(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (3, "just now"),
        (42, "42 sec. ago"),
        (119, "1 min. ago"),
        (7300, "2 hr. ago"),
        (90_000, "1 day ago"),
        (200_000, "2 days ago"),
        (900_000, "on 19 February 2026"),
    ],
)
async def test_ages(seconds: float, text: str) -> None:
    assert words.ago(after(-seconds), AT) == text


def run(status: Status = "PENDING", **fields: object) -> RunDetail:
    request = RunRequested(pipeline="sales", snapshot="s", entry="sales.py", timeout_seconds=60.0)
    waiting = RunDetail(
        id="r", pipeline="sales", actor="page", requested_at=AT, request=request, position=1, last_position=1
    )
    return msgspec.structs.replace(waiting, **{"status": status, "reason": None, **fields})


STARTED = Attempt(number=1, container="c", begun_at=after(1), started_at=after(2), finished_at=after(14.4))


async def test_a_waiting_run_says_for_what() -> None:
    assert "2 runs are before it" in sentences.story(run(), 2).sentence
    assert "1 run is before it" in sentences.story(run(), 1).sentence
    assert "It is next" in sentences.story(run(), 0).sentence
    away = Part("engine", "Container engine", "away", meaning="It comes back.")
    assert sentences.story(run(), 0, away).sentence == "It waits for the container engine, which is away."


async def test_every_reason_to_fail_has_its_own_sentence() -> None:
    told = {
        reason: sentences.story(run("FAILED", reason=reason, exit_code=1, attempts=(STARTED,)), 0).sentence
        for reason in get_args(FailureReason)
    }
    assert len(set(told.values())) == len(told)
    assert "It failed." not in told.values()
    assert told["exit_code"] == "The script ended after 12.4 s with exit code 1."
    assert "60 seconds" in told["timeout"]


async def test_an_exit_by_signal_is_named() -> None:
    assert "signal KILL" in sentences.story(run("FAILED", reason="killed", exit_code=137), 0).sentence


async def test_a_cancelled_run_says_who_and_when() -> None:
    before = sentences.story(run("CANCELLED", cancelled_by="cli"), 0)
    assert before.sentence == "Cancelled by the command line before the script began."
    within = sentences.story(run("CANCELLED", cancelled_by="page", attempts=(STARTED,)), 0)
    assert within.sentence == "Cancelled by somebody at a page after 12.4 s."
    stop = Stop("cancelled", "api", AT, (Signalled(1, "KILL", AT),))
    asked = run("RUNNING", reason="cancelling", stop=stop)
    assert "it was killed" in sentences.story(asked, 0).sentence


async def test_the_time_of_a_run_is_laid_out_whole() -> None:
    setup = Setup(started_at=after(1), finished_at=after(4), seconds=3.0, packages=2)
    attempt = Attempt(
        number=1, container="c", begun_at=after(1), setup=setup, started_at=after(5), finished_at=after(15)
    )
    found = drawing.phases(run("SUCCESS", attempts=(attempt,), ended_at=after(15.1)), after(99))
    assert [(phase.key, phase.milliseconds) for phase in found] == [
        ("waiting", 1000),
        ("setup", 3000),
        ("start", 1000),
        ("script", 10_000),
    ]
    assert sum(phase.width for phase in found) == pytest.approx(drawing.PHASES_WIDTH, abs=1)
    assert all(phase.since is None for phase in found)


async def test_what_is_under_way_counts_on() -> None:
    (waiting,) = drawing.phases(run(), after(7))
    assert (waiting.key, waiting.milliseconds, waiting.since) == ("waiting", 7000, AT)
    assert waiting.width == drawing.PHASES_WIDTH


async def test_clocks_that_disagree_give_no_negative_time() -> None:
    early = Attempt(number=1, container="c", begun_at=after(1), started_at=after(-5), finished_at=after(-6))
    found = drawing.phases(run("SUCCESS", attempts=(early,), ended_at=after(1)), after(2))
    assert all(phase.milliseconds >= 0 and phase.width > 0 for phase in found)


def row(status: Status, milliseconds: int | None = None) -> RunRow:
    return RunRow(
        id="r",
        pipeline="sales",
        status=status,
        trigger="manual",
        actor="page",
        requested_at=AT,
        duration_ms=milliseconds,
        position=1,
        last_position=1,
    )


async def test_a_strip_has_the_newest_run_at_the_right_and_the_longest_highest() -> None:
    marks = drawing.strip([row("RUNNING"), row("SUCCESS", 100), row("FAILED", 400)])
    assert [mark.run.status for mark in marks] == ["FAILED", "SUCCESS", "RUNNING"]
    assert marks[-1].x == (drawing.STRIP_RUNS - 1) * drawing.STRIP_STEP
    assert marks[0].height == drawing.STRIP_HEIGHT > marks[1].height
    assert drawing.strip([]) == []
    assert len(drawing.strip([row("SUCCESS", 1)] * 99)) == drawing.STRIP_RUNS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "def f():\n  '''a\n  b'''\n",
        "'unclosed\n",
        "(\n",
        "\tbad\n  indent\n",
        "\x0c\x00",
        "é = 'ü'\r\n",
        "{{",
    ],
)
async def test_any_source_comes_out_whole(text: str) -> None:
    lines = source.highlighted(text)
    assert "\n".join("".join(piece for piece, _ in line) for line in lines) == text.removesuffix("\n")


async def test_a_source_is_coloured() -> None:
    (line,) = source.highlighted("def f(): return 'x' + 1  # why")
    assert dict(line) | {"def": "k", "f": "d", "return": "k", "'x'": "s", "1": "n", "# why": "c"} == dict(
        line
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"plain", "plain"),
        (b"50%\r100%\r", "100%"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b]0;title\x07x", "x"),
        (b"\x00\x07", "\u2400\u2407"),
        (b"\xff", "\ufffd"),
        (b"x" * 5000, "x" * 4000 + "\u2026"),
    ],
)
async def test_a_line_without_colours(text: bytes, shown: str) -> None:
    from events.chunk import Line

    assert log_lines.plain(Line(1, "stdout", 0, text, True)) == shown
