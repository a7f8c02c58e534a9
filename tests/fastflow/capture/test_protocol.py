"""What a script may say on a line of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.capture.protocol import GroupBegun, GroupEnded, Progress, Remark, Said, Step, said


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"::progress 3/10 Syncing CustomerDB", Progress(3, 10, "Syncing CustomerDB")),
        (b"::progress 3 / 10", Progress(3, 10, "")),
        (b"::progress 45%", Progress(45, 100, "")),
        (b"::progress 45.5 % nearly", Progress(45.5, 100, "nearly")),
        (b"::progress 17", Progress(17, None, "")),
        (b"::progress 17 files", Progress(17, None, "files")),
        (b"::progress 12/10 more than planned", Progress(12, 10, "more than planned")),
        (b"::progress\t1/2\r", Progress(1, 2, "")),
        (b"::step upload", Step("upload")),
        (b"::step  two  words ", Step("two words")),
        (b"::notice done", Remark("notice", "done")),
        (b"::warning \x1b[33mslow\x1b[0m disk", Remark("warning", "slow disk")),
        (b"::error caf\xc3\xa9 \xff", Remark("error", "café \N{REPLACEMENT CHARACTER}")),
        (b"::error a\x00b\nc", Remark("error", "a b c")),
        (b"::group Load", GroupBegun("Load")),
        (b"::group", GroupBegun("")),
        (b"::endgroup", GroupEnded()),
    ],
)
def test_what_a_script_says_is_understood(line: bytes, expected: Said) -> None:
    assert said(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"::",
        b"::progress",
        b"::progress ten",
        b"::progress -1/10",
        b"::progress 1/0",
        b"::progress nan",
        b"::progress 1e9",
        b"::progress 3/10x",
        b"::progress " + b"9" * 400,
        "::progress ٣/10".encode(),
        b"::progressive",
        b"::step",
        b"::unknown thing",
        b" ::step upload",
        b"::Step upload",
        b"::notice " + b"x" * 5000,
    ],
)
def test_anything_else_is_only_a_line(line: bytes) -> None:
    assert said(line) is None


@given(st.binary(max_size=100))
def test_no_bytes_break_it_and_what_it_gives_fits_into_an_event(rest: bytes) -> None:
    for word in (b"progress 1/2", b"step", b"notice", b"group"):
        found = said(b"::" + word + b" " + rest)
        for text in (getattr(found, name, "") for name in ("text", "name", "title")):
            assert text.isprintable()
            assert len(text) <= 200
