"""Which runs are open: folded from events, kept at checkpoints, given up when somebody else keeps them."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from events import run as runs
from events.base import Event, Metadata, Recorded
from events.errors import LeaseLost
from events.run import RunCancelled, RunFailed
from fastflow.reactor.open_runs import OpenRun, OpenRuns
from sql.database import Database
from tests.fastflow.domain.histories import BEGUN, CANCELLED, REMOVED, REQUESTED, STARTED, SUCCEEDED

NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


def see(known: OpenRuns, run: str, *events: Event) -> None:
    for event in events:
        known.position += 1
        known.see(Recorded(known.position, runs.stream(run), 1, event, uuid.uuid4(), NOW, Metadata()))


def test_a_run_is_open_from_its_request_to_its_containers_removal() -> None:
    known = OpenRuns()
    see(known, "a", REQUESTED)
    assert known.now() == {"a": OpenRun(1, "waiting")}
    see(known, "a", BEGUN, STARTED)
    assert known.now() == {"a": OpenRun(1, "active")}
    see(known, "a", SUCCEEDED)
    assert known.now() == {"a": OpenRun(1, "over")}
    see(known, "a", REMOVED)
    assert known.now() == {}


def test_a_run_that_never_began_leaves_nothing() -> None:
    known = OpenRuns()
    see(known, "a", REQUESTED, RunCancelled(attempt=0, by="ana"))
    see(known, "b", REQUESTED, RunFailed(attempt=0, reason="pipeline_missing"))
    assert known.now() == {}


def test_the_queue_is_in_the_order_of_requests() -> None:
    known = OpenRuns()
    for run in "cab":
        see(known, run, REQUESTED)
    see(known, "a", BEGUN)
    assert list(known.phases["waiting"]) == ["c", "b"]


async def test_what_was_saved_is_loaded(database: Database) -> None:
    known = OpenRuns()
    await known.load(database)
    for run in "abc":
        see(known, run, REQUESTED)
    await known.save(database)
    see(known, "a", BEGUN)
    see(known, "b", BEGUN, CANCELLED, REMOVED)
    await known.save(database)
    await known.save(database)
    again = OpenRuns()
    await again.load(database)
    assert (again.now(), again.position) == (known.now(), known.position)
    assert again.now() == {"a": OpenRun(1, "active"), "c": OpenRun(3, "waiting")}


async def test_only_one_keeps_the_checkpoint(database: Database) -> None:
    ours, theirs = OpenRuns(), OpenRuns()
    for known in (ours, theirs):
        await known.load(database)
        see(known, "a", REQUESTED)
    await theirs.save(database)
    with pytest.raises(LeaseLost):
        await ours.save(database)
