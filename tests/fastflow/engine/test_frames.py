"""Frames cut anywhere give the same pieces, and what is not a log is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.engine import STDERR, STDOUT, Piece
from fastflow.engine.frames import PIECE_BYTES, Frames, LogDamaged

MOMENT = 1_790_000_000 * 1_000_000_000


def frame(stream: int, nanoseconds: int, words: bytes, zone: dt.tzinfo = dt.UTC) -> bytes:
    second, rest = divmod(nanoseconds, 1_000_000_000)
    moment = dt.datetime.fromtimestamp(second, zone).isoformat()
    written = f"{moment[:19]}.{rest:09d}{moment[19:].replace('+00:00', 'Z')} ".encode() + words
    return struct.pack(">BxxxL", stream, len(written)) + written


pieces = st.lists(
    st.tuples(
        st.sampled_from([STDOUT, STDERR]),
        st.integers(0, 4_000_000_000 * 1_000_000_000),
        st.one_of(st.binary(max_size=50), st.just(b"x" * PIECE_BYTES)),
    ),
    max_size=20,
)


@given(pieces, st.lists(st.integers(0, 2_000)), st.booleans())
def test_cutting_the_bytes_anywhere_gives_the_same_pieces(
    written: list[Piece],
    cuts: list[int],
    newline_forgotten: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    data = b"".join(frame(*piece) for piece in written)
    whole = Frames(newline_forgotten=newline_forgotten).feed(data)
    parser, got, at = Frames(newline_forgotten=newline_forgotten), [], 0
    for cut in cuts:
        got += parser.feed(data[at : at + cut])
        at += cut
    got += parser.feed(data[at:])
    assert got == whole
    if not newline_forgotten:
        assert whole == written


@given(pieces)
def test_a_clock_with_an_offset_gives_the_same_times(written: list[Piece]) -> None:
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    data = b"".join(frame(*piece, zone) for piece in written)
    assert Frames(newline_forgotten=False).feed(data) == written


@given(st.binary(), st.lists(st.integers(0, 100)))
def test_rubbish_is_refused_and_never_anything_worse(data: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(LogDamaged):
        parser, at = Frames(newline_forgotten=True), 0
        for cut in cuts:
            parser.feed(data[at : at + cut])
            at += cut


@given(st.integers(1, 2), st.binary(max_size=60))
def test_a_well_framed_payload_of_rubbish_is_refused_or_read(stream: int, payload: bytes) -> None:
    with contextlib.suppress(LogDamaged):
        Frames(newline_forgotten=False).feed(struct.pack(">BxxxL", stream, len(payload)) + payload)


def test_the_newline_an_old_engine_forgets_after_a_long_line_is_put_back() -> None:
    full = b"x" * PIECE_BYTES
    written: list[Piece] = [
        (STDOUT, MOMENT, full),
        (STDERR, MOMENT, b"meanwhile\n"),
        (STDOUT, MOMENT, full),
        (STDOUT, MOMENT, b"end"),
        (STDOUT, MOMENT + 1, full),
        (STDOUT, MOMENT + 1, b""),
        (STDERR, MOMENT + 2, b"unfinished"),
    ]
    data = b"".join(frame(*piece) for piece in written)
    assert Frames(newline_forgotten=False).feed(data) == written
    mended = [words for _, _, words in Frames(newline_forgotten=True).feed(data)]
    assert mended == [full, b"meanwhile\n", full, b"end\n", full, b"\n", b"unfinished"]


def test_an_error_of_the_engine_inside_the_log_is_raised_in_its_words() -> None:
    words = b"Error grabbing logs: unexpected EOF\n"
    data = frame(STDOUT, MOMENT, b"line\n") + struct.pack(">BxxxL", 3, len(words)) + words
    with pytest.raises(LogDamaged, match=r"^Error grabbing logs: unexpected EOF$"):
        Frames(newline_forgotten=False).feed(data)
