"""Pieces become lines, whatever is cut, repeated or left open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.chunk import ERR, ERR_PART, OUT, OUT_PART
from fastflow.capture import lines
from fastflow.capture.lines import Cursor, Found, Lines
from fastflow.engine import STDERR, STDOUT, Piece
from tests.fastflow.capture.engine_log import KINDS, Write, connection, engine_log, expected

PIECE_BYTES, PART_BYTES = 4, 12


@contextlib.contextmanager
def small_limits() -> Iterator[None]:
    """Long lines of a few bytes, so that every cut is reached often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "PIECE_BYTES", PIECE_BYTES)
        patch.setattr(lines, "PART_BYTES_MAX", PART_BYTES)
        patch.setattr(lines, "SILENT_STREAM_NANOSECONDS", 5)
        yield


writes = st.lists(
    st.builds(
        Write,
        st.sampled_from([STDOUT, STDERR]),
        st.one_of(
            st.sampled_from([b"\n", b"a\n", b"abc\n", b"abcd\n", b"x" * 11, b"y" * 12, b"z" * 13 + b"\n"]),
            st.binary(max_size=30),
        ),
        st.sampled_from([0, 0, 1, 1, 2, 100]),
    ),
    max_size=25,
)


def of_stream(found: list[Found], stream: int) -> list[tuple[int, bytes]]:
    return [(kind, text) for kind, _, text in found if kind in KINDS[stream]]


class Run:
    """Lines given out over connections that break and processes that die, with what is stored of them."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.stored: list[Found] = []
        self.resume_points: list[tuple[Cursor, Cursor, int]] = []

    def read(self, log: list[Piece], until: int | None = None) -> None:
        for found in self.lines.take(connection(log, self.lines.rewind())[:until]):
            self.keep(found)

    def finish(self) -> None:
        for found in self.lines.finish():
            self.keep(found)

    def keep(self, found: Found) -> None:
        self.stored.append(found)
        self.resume_points.append((*self.lines.cursors(), self.lines.since()))

    def crash(self, stored: int) -> None:
        """A new process goes on after so many lines."""
        del self.stored[stored:], self.resume_points[stored:]
        self.lines = Lines(*self.resume_points[-1]) if stored else Lines()


@settings(max_examples=600, deadline=None)
@given(writes=writes)
def test_whatever_is_written_comes_out_line_by_line(writes: list[Write]) -> None:
    run = Run()
    with small_limits():
        run.read(engine_log(writes, PIECE_BYTES))
        run.finish()
    for stream in (STDOUT, STDERR):
        assert of_stream(run.stored, stream) == expected(writes, stream, PART_BYTES)


@settings(max_examples=1500, deadline=None)
@given(
    writes=writes,
    faults=st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 60)), max_size=6),
)
def test_no_cut_and_no_crash_loses_or_repeats_a_line(
    writes: list[Write], faults: list[tuple[bool, int, int]]
) -> None:
    log = engine_log(writes, PIECE_BYTES)
    run = Run()
    with small_limits():
        for crash, until, stored in faults:
            run.read(log, until)
            if crash:
                run.crash(min(stored, len(run.stored)))
        run.read(log)
        run.finish()
    for stream in (STDOUT, STDERR):
        assert of_stream(run.stored, stream) == expected(writes, stream, PART_BYTES)


@settings(max_examples=500, deadline=None)
@given(
    pieces=st.lists(
        st.tuples(st.sampled_from([STDOUT, STDERR]), st.integers(1, 20), st.just(b"a\n")), max_size=30
    ),
    crashes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5),
)
def test_a_clock_that_jumps_anyhow_repeats_nothing_when_the_engine_gives_everything_again(
    pieces: list[Piece], crashes: list[tuple[int, int]]
) -> None:
    log: list[Piece] = [(stream, at, b"%d\n" % number) for number, (stream, at, _) in enumerate(pieces)]
    run = Run()
    for until, stored in (*crashes, (len(log), len(log))):
        for found in run.lines.take(log[:until]):
            run.keep(found)
        run.crash(min(stored, len(run.stored)))
        run.lines = Lines(*run.resume_points[-1][:2]) if run.stored else Lines()
    for stream in (STDOUT, STDERR):
        told = [text for _, text in of_stream(run.stored, stream)]
        assert told == [text for piece_stream, _, text in log if piece_stream == stream]


def test_after_the_clock_stepped_back_the_engine_is_asked_from_before_the_step() -> None:
    second = 10**9
    reader = Lines()
    log: list[Piece] = [
        (STDOUT, 100 * second, b"a\n"),
        (STDOUT, 101 * second, b"b\n"),
        (STDOUT, 70 * second, b"c\n"),
        (STDOUT, 71 * second, b"d\n"),
        (STDOUT, 69 * second, b"e\n"),
    ]
    assert [text for *_, text in reader.take(log[:4])] == [b"a\n", b"b\n", b"c\n", b"d\n"]
    since = reader.rewind()
    assert since <= 68 * second
    assert [text for *_, text in reader.take(connection(log, since))] == [b"e\n"]


def test_pieces_of_one_time_are_told_apart_by_their_count() -> None:
    log: list[Piece] = [(STDOUT, 7, b"same\n"), (STDOUT, 7, b"same\n"), (STDOUT, 7, b"same\n")]
    reader = Lines()
    assert len(list(reader.take(log[:2]))) == 2
    assert reader.cursors() == ((7, 2), (0, 0))
    resumed = Lines(*reader.cursors(), reader.since())
    assert len(list(resumed.take(connection(log, resumed.rewind())))) == 1


def test_an_unfinished_line_keeps_the_engine_asked_from_its_beginning_however_long_ago() -> None:
    minute = 60 * 10**9
    progress = b"\r" * lines.PIECE_BYTES
    log: list[Piece] = [
        (STDERR, minute, progress),
        *((STDOUT, number * minute, b"line\n") for number in range(2, 60)),
        (STDERR, minute, progress),
        (STDERR, minute, b"100%\n"),
    ]
    reader = Lines()
    list(reader.take(log[:-2]))
    resumed = Lines(*reader.cursors(), reader.since())
    found = list(resumed.take(connection(log, resumed.rewind())))
    assert found == [(ERR, minute, 2 * progress + b"100%\n")]


MINUTE = 60 * 10**9


def test_a_line_whose_first_part_is_stored_is_gone_on_with_after_any_number_of_crashes() -> None:
    piece = b"x" * lines.PIECE_BYTES
    log: list[Piece] = [
        *([(STDERR, MINUTE, piece)] * 64),
        *((STDOUT, number * MINUTE, b"line %d\n" % number) for number in range(2, 60)),
        (STDERR, MINUTE, piece),
        (STDOUT, 60 * MINUTE, b"line 60\n"),
        (STDERR, MINUTE, b"end\n"),
    ]
    reader = Lines()
    found = list(reader.take(log[:-2]))
    assert [kind for kind, *_ in found] == [OUT] * 58 + [ERR_PART]
    for read in (0, 1, 63, 64, 65, 100, 121, 122, 123, 124, 125):
        reader = Lines(*reader.cursors(), reader.since())
        for until in (read, read + 1):
            found += reader.take(connection(log, reader.rewind())[:until])
            assert reader.since() == MINUTE or len(found) == 61
    assert found[59:] == [(OUT, 60 * MINUTE, b"line 60\n"), (ERR, MINUTE, piece + b"end\n")]


def test_after_a_crash_the_clock_s_step_back_is_still_known() -> None:
    log: list[Piece] = [
        (STDERR, 9 * MINUTE, b"-\n"),
        (STDOUT, 9 * MINUTE, b"a\n"),
        (STDOUT, 5 * MINUTE, b"b\n"),
        (STDOUT, 5 * MINUTE, b"c\n"),
    ]
    reader = Lines()
    list(reader.take(log[:3]))
    for _ in range(2):
        reader = Lines(*reader.cursors(), reader.since())
        assert list(reader.take(connection(log[:3], reader.rewind()))) == []
    assert reader.since() < 5 * MINUTE
    assert list(reader.take(log[3:])) == [(OUT, 5 * MINUTE, b"c\n")]


def test_a_stream_silent_for_long_does_not_make_everything_come_again() -> None:
    reader = Lines()
    list(reader.take([(STDERR, MINUTE, b"warming up\n")]))
    list(reader.take([(STDOUT, number * MINUTE, b"line\n") for number in range(2, 60)]))
    resumed = Lines(*reader.cursors(), reader.since())
    assert resumed.rewind() == 58 * MINUTE
    list(resumed.take([(STDOUT, number * MINUTE, b"line\n") for number in range(58, 90)]))
    assert resumed.rewind() == 88 * MINUTE


def test_an_endless_line_is_cut_into_parts_of_a_mebibyte() -> None:
    reader = Lines()
    piece = b"x" * lines.PIECE_BYTES
    found = list(reader.take([(STDOUT, 5, piece)] * 200))
    found += reader.finish()
    assert [(kind, len(text) - 1) for kind, _, text in found] == [
        (OUT_PART, lines.PART_BYTES_MAX),
        (OUT_PART, lines.PART_BYTES_MAX),
        (OUT_PART, lines.PART_BYTES_MAX),
        (OUT_PART, 8 * lines.PIECE_BYTES),
    ]


def test_a_line_of_exactly_one_part_stays_one_line() -> None:
    reader = Lines()
    pieces: list[Piece] = [(STDOUT, 5, b"x" * lines.PIECE_BYTES)] * 64
    found = list(reader.take([*pieces, (STDOUT, 5, b"\n")]))
    assert found == [(OUT, 5, b"x" * lines.PART_BYTES_MAX + b"\n")]
    assert list(reader.finish()) == []
