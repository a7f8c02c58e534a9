"""What a page is sent when a script prints faster than anybody reads."""

from __future__ import annotations

from events.chunk import Line
from web.pacing import BURST_SECONDS, Pacer, Sending, Skipped


def lines(first: int, last: int, size: int = 10) -> list[Line]:
    return [Line(number, "stdout", 0, b"x" * size, True) for number in range(first, last + 1)]


def told(sent: list[Sending]) -> list[tuple[str, int, int]]:
    return [
        ("skipped", part.first, part.last)
        if isinstance(part, Skipped)
        else ("lines", part[0].number, part[-1].number)
        for part in sent
    ]


def covered(parts: list[tuple[str, int, int]]) -> list[int]:
    return [number for _, first, last in parts for number in range(first, last + 1)]


async def test_a_short_log_comes_whole() -> None:
    pacer = Pacer(100, 0.0)
    pacer.take(lines(1, 100 * BURST_SECONDS))
    assert told(pacer.due(0.0)) == [("lines", 1, 500)]
    assert not pacer.holds


async def test_what_is_beyond_the_rate_is_skipped_and_the_newest_are_sent() -> None:
    pacer = Pacer(100, 0.0)
    pacer.take(lines(1, 500))
    pacer.due(0.0)
    pacer.take(lines(501, 600))
    assert pacer.due(0.0) == []
    assert pacer.holds
    pacer.take(lines(601, 5000))
    assert told(pacer.due(0.25)) == [("skipped", 501, 4975), ("lines", 4976, 5000)]


async def test_the_end_is_always_seen() -> None:
    pacer = Pacer(100, 0.0)
    pacer.take(lines(1, 500))
    pacer.due(0.0)
    pacer.take(lines(501, 5000))
    assert told(pacer.rest()) == [("skipped", 501, 4900), ("lines", 4901, 5000)]
    assert pacer.rest() == []


async def test_no_line_is_missing_between_lines_and_skips() -> None:
    pacer = Pacer(7, 0.0)
    parts: list[tuple[str, int, int]] = []
    first = 1
    for step in range(200):
        last = first + step % 13
        pacer.take(lines(first, last, size=1 + step * 300))
        first = last + 1
        parts += told(pacer.due(step * 0.1))
    parts += told(pacer.rest())
    assert covered(parts) == list(range(1, first))


async def test_no_more_than_the_rate_is_sent_over_time() -> None:
    pacer = Pacer(100, 0.0)
    sent = 0
    first = 1
    for step in range(1, 401):
        pacer.take(lines(first, first + 499))
        first += 500
        sent += sum(last - start + 1 for kind, start, last in told(pacer.due(step * 0.1)) if kind == "lines")
    assert sent <= 100 * (40 + BURST_SECONDS)
    assert sent >= 100 * 40


async def test_a_huge_line_counts_as_several_but_is_not_held_for_ever() -> None:
    pacer = Pacer(1, 0.0)
    pacer.take(lines(1, 1, size=1 << 20))
    assert told(pacer.due(0.0)) == [("lines", 1, 1)]
    pacer.take(lines(2, 2, size=1 << 20))
    assert pacer.due(1.0) == []
    assert told(pacer.due(float(BURST_SECONDS))) == [("lines", 2, 2)]
