"""The end of a log is read backwards only where that surely misses nothing."""

from __future__ import annotations

from fastflow.engine import STDERR, STDOUT, Piece
from fastflow.engine.docker_logs import END_PIECES, OVERLAP_NANOSECONDS, query, whole_end

SINCE = 1_800_000_000_000_000_000


def pieces(count: int, first: int) -> list[Piece]:
    return [(STDOUT if number % 2 else STDERR, first + number, b"line\n") for number in range(count)]


def test_the_time_is_asked_for_to_the_nanosecond() -> None:
    assert query(SINCE + 7, follow=False)["since"] == "1800000000.000000007"
    assert "since" not in query(0, follow=True)


def test_the_end_of_a_long_log_is_whole_when_it_reaches_well_behind_the_time() -> None:
    last = pieces(END_PIECES, SINCE - OVERLAP_NANOSECONDS)

    assert whole_end(last, SINCE) == []
    assert whole_end(last, SINCE - OVERLAP_NANOSECONDS + 10) is None
    assert whole_end([*last[1:], (STDOUT, SINCE, b"last\n")], SINCE) is None


def test_the_time_itself_is_part_of_the_end() -> None:
    last = [*pieces(END_PIECES - 1, SINCE - OVERLAP_NANOSECONDS), (STDOUT, SINCE, b"last\n")]

    assert whole_end(last, SINCE) == [(STDOUT, SINCE, b"last\n")]


def test_a_short_log_is_its_own_end() -> None:
    assert whole_end(pieces(3, SINCE), SINCE + 1) == pieces(3, SINCE)[1:]
    assert whole_end([], SINCE) == []
