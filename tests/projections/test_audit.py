"""Questions on the log itself."""

from __future__ import annotations

from events import pipeline, run
from events.base import Metadata
from events.pipeline import PipelineGone
from events.run import AttemptBegun, Progressed, RunRequested, RunSucceeded, StepEntered
from events.store import EventStore
from projections import audit

REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py")
BEGUN = AttemptBegun(attempt=1, container="c")


async def test_a_timeline_has_the_last_of_reports_of_progress_in_a_row(store: EventStore) -> None:
    said = [Progressed(attempt=1, done=done) for done in range(4)]
    step, end = StepEntered(attempt=1, name="upload"), RunSucceeded(attempt=1)
    await store.append(run.stream("r1"), [REQUEST, BEGUN, *said[:3], step, said[3], end], expected=0)
    await store.append(run.stream("r2"), [REQUEST], expected=0)

    timeline = await audit.timeline(store, "r1")

    assert [recorded.event for recorded in timeline] == [REQUEST, BEGUN, said[2], step, said[3], end]
    assert [recorded.version for recorded in timeline] == [1, 2, 5, 6, 7, 8]


async def test_a_run_nobody_asked_for_has_no_timeline(store: EventStore) -> None:
    assert await audit.timeline(store, "r1") == ()


async def test_the_log_is_replayed_page_by_page(store: EventStore) -> None:
    await store.append(run.stream("r1"), [REQUEST, BEGUN], expected=0, meta=Metadata("ann"))
    await store.append(pipeline.stream("sales"), [PipelineGone()], expected=0)

    first = await audit.events(store, limit=2)
    second = await audit.events(store, first.next, limit=2)
    third = await audit.events(store, second.next)

    assert [event.type for event in first.events] == ["run.requested", "run.attempt_begun"]
    assert [(event.stream, event.version) for event in second.events] == [("pipeline-sales", 1)]
    assert first.events[0].data["pipeline"] == "sales"
    assert first.events[0].meta["actor"] == "ann"
    assert (first.next, second.next, third.next, third.events) == (2, 3, 3, ())


async def test_one_stream_or_one_type_can_be_replayed(store: EventStore) -> None:
    await store.append(run.stream("r1"), [REQUEST, BEGUN], expected=0)
    await store.append(run.stream("r2"), [REQUEST], expected=0)

    of_stream = await audit.events(store, stream=run.stream("r1"))
    of_type = await audit.events(store, 1, type="run.requested")

    assert [event.position for event in of_stream.events] == [1, 2]
    assert [event.position for event in of_type.events] == [3]


async def test_a_page_of_the_log_has_a_limit(store: EventStore) -> None:
    await store.append(run.stream("r1"), [REQUEST, BEGUN], expected=0)

    assert len((await audit.events(store, limit=0)).events) == 1
