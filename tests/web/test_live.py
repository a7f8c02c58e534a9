"""Open pages are told what went stale, once, and miss nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from web.live import TOPICS_REMEMBERED_MAX, Live, Mark


class Wake:
    """Remembers who wants to hear."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[frozenset[str]], None]] = []

    def on_stale(self, callback: Callable[[frozenset[str]], None]) -> None:
        self.callbacks.append(callback)

    def say(self, *topics: str) -> None:
        for callback in self.callbacks:
            callback(frozenset(topics))


@pytest.fixture
def wake() -> Any:
    return Wake()


@pytest.fixture
def live(wake: Any) -> Live:
    nothing: Any = None
    return Live(nothing, wake)


async def test_a_page_is_told_once_however_often_it_changed(live: Live, wake: Wake) -> None:
    with live.page(("runs", "system"), live.mark()) as page:
        for _ in range(1000):
            wake.say("runs", "pipeline-other")
        assert page.woken.is_set()
        assert page.take() == ["runs"]
        assert not page.woken.is_set()


async def test_what_changed_between_reading_and_connecting_is_told(live: Live, wake: Wake) -> None:
    mark = live.mark()
    wake.say("run-1")
    with live.page(("run-1", "run-2"), mark) as page:
        assert page.take() == ["run-1"]
    with live.page(("run-1", "run-2"), live.mark()) as page:
        assert page.take() == []


async def test_a_mark_of_another_process_makes_everything_stale(live: Live) -> None:
    with live.page(("runs", "system"), Mark("elsewhere", 7)) as page:
        assert page.take() == ["runs", "system"]


async def test_interrupted_telling_makes_everything_stale(live: Live, wake: Wake) -> None:
    mark = live.mark()
    with live.page(("runs", "system"), mark) as page:
        wake.say("*")
        assert page.take() == ["runs", "system"]
    with live.page(("runs",), mark) as page:
        assert page.take() == ["runs"]


async def test_forgotten_topics_are_stale_for_those_who_come_from_before(live: Live, wake: Wake) -> None:
    mark = live.mark()
    wake.say("run-1")
    for number in range(TOPICS_REMEMBERED_MAX + 1):
        wake.say(f"other-{number}")
    with live.page(("run-1",), mark) as page:
        assert page.take() == ["run-1"]
    with live.page(("run-1",), live.mark()) as page:
        assert page.take() == []


async def test_a_page_that_left_is_not_told(live: Live, wake: Wake) -> None:
    with live.page(("runs",), live.mark()) as page:
        pass
    wake.say("runs")
    assert page.take() == []
    assert live.pages == set()


@pytest.mark.parametrize("text", ["", "x", "x.", ".1", "x.-1", "x.1.2", "x.\u0661", "x y.1", "x." + "9" * 30])
async def test_a_malformed_mark_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mark"):
        Mark.parse(text)


async def test_a_mark_is_read_as_written() -> None:
    assert Mark.parse(str(Mark("ab12", 42))) == Mark("ab12", 42)
