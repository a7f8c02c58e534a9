"""A chatty script is heard twice a second, and its last word always."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from fastflow.capture.pace import INTERVAL_SECONDS, Pace


def test_the_first_item_goes_through_at_once() -> None:
    assert Pace[str]().offer("first", 10.0) == (Pace(10.5), "first")


def test_of_items_that_come_too_fast_the_newest_is_let_through_when_its_time_has_come() -> None:
    pace, _ = Pace[str]().offer("first", 10.0)
    pace, now = pace.offer("second", 10.1)
    assert now is None
    pace, now = pace.offer("third", 10.2)
    assert now is None
    assert pace.due_at() == 10.5
    assert pace.release(10.4) == (pace, None)
    pace, now = pace.release(10.5)
    assert now == "third"
    assert pace.due_at() is None
    assert pace.release(20.0) == (pace, None)


@given(st.lists(st.floats(0, 0.4), max_size=200))
def test_however_chatty_it_is_held_to_the_pace_and_the_last_item_is_never_lost(gaps: list[float]) -> None:
    pace, now = Pace[int](), 100.0
    through: list[tuple[float, int]] = []
    for number, gap in enumerate(gaps):
        due = pace.due_at()
        if due is not None and due <= now + gap:
            pace, item = pace.release(due)
            assert item is not None
            through.append((due, item))
        now += gap
        pace, item = pace.offer(number, now)
        if item is not None:
            through.append((now, item))
    if pace.waiting is not None:
        through.append((float("inf"), pace.waiting))
    times = [at for at, _ in through]
    assert all(later - earlier >= INTERVAL_SECONDS - 1e-9 for earlier, later in itertools.pairwise(times))
    assert not gaps or through[-1][1] == len(gaps) - 1
    assert [item for _, item in through] == sorted({item for _, item in through})
