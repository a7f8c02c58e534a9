"""Commands against a real log: decisions on what was last known are checked, refusals are read up on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from events import pipeline as pipelines
from events import run as runs
from events.base import Event, Metadata, Recorded, Stream
from events.errors import LeaseLost, VersionConflict
from events.run import AttemptBegun, CancelRequested, RunCancelled
from events.store import Appended, EventStore, Fence
from fastflow.commands import CONFLICTS_MAX, STREAMS_REMEMBERED_MAX, Commands
from fastflow.domain.pipeline import PIPELINE, BreakPipeline, DefinePipeline
from fastflow.domain.run import (
    Active,
    BeginAttempt,
    CancelRun,
    KeyReused,
    RequestRun,
    RunAlreadyOver,
    UnknownRun,
    Waiting,
)
from fastflow.domain.run_rules import RUN
from fastflow.identity import new_run
from tests.fastflow.domain.histories import BEGIN, PROGRESS, REQUEST, REQUESTED, START, end
from tests.fastflow.domain.test_pipeline import BETTER, GOOD, TYPO


class Reading(EventStore):
    """Counts how often streams are read, and lets somebody be faster."""

    def __init__(self, real: EventStore) -> None:
        self.real = real
        self.reads = 0
        self.faster: list[tuple[Stream, Event]] = []

    async def read_stream(self, stream: Stream, after_version: int = 0) -> list[Recorded[Event]]:
        self.reads += 1
        return await self.real.read_stream(stream, after_version)

    async def append(self, stream: Stream, events: Sequence[Event], **named: Any) -> Appended:
        if self.faster:
            first_stream, first = self.faster.pop(0)
            await self.real.append(first_stream, (first,), expected=None)
        return await self.real.append(stream, events, **named)


@pytest.fixture
def reading(store: EventStore) -> Reading:
    return Reading(store)


@pytest.fixture
def stream() -> Stream:
    return runs.stream(new_run())


async def test_a_new_stream_is_appended_to_without_reading(reading: Reading, stream: Stream) -> None:
    position = await Commands(reading).handle(RUN, stream, REQUEST, meta=Metadata(actor="ana"))
    recorded = await reading.real.read_stream(stream)
    assert [(r.position, r.version, r.event, r.meta.actor) for r in recorded] == [
        (position, 1, REQUESTED, "ana")
    ]
    assert reading.reads == 0


async def test_what_is_known_is_not_read_again(reading: Reading, stream: Stream) -> None:
    commands = Commands(reading)
    for command in (REQUEST, BEGIN, START, PROGRESS, end()):
        await commands.handle(RUN, stream, command)
    assert reading.reads == 0
    assert [r.version for r in await reading.real.read_stream(stream)] == [1, 2, 3, 4, 5, 6]


async def test_said_twice_it_happens_once_and_the_position_is_the_streams_last(
    reading: Reading, stream: Stream
) -> None:
    commands = Commands(reading)
    await commands.handle(RUN, stream, REQUEST)
    begun = await commands.handle(RUN, stream, BEGIN)
    assert await commands.handle(RUN, stream, BEGIN) == begun
    assert await Commands(reading).handle(RUN, stream, REQUEST) == begun
    assert len(await reading.real.read_stream(stream)) == 2


async def test_a_refusal_is_believed_only_after_reading(store: EventStore, stream: Stream) -> None:
    ours, theirs = Commands(store), Commands(store)
    with pytest.raises(UnknownRun):
        await ours.handle(RUN, stream, CancelRun("ana"))
    await theirs.handle(RUN, stream, REQUEST)
    await ours.handle(RUN, stream, CancelRun("ana"))
    with pytest.raises(RunAlreadyOver):
        await theirs.handle(RUN, stream, BEGIN)


async def test_somebody_faster_means_deciding_again(reading: Reading, stream: Stream) -> None:
    commands = Commands(reading)
    await commands.handle(RUN, stream, REQUEST)
    reading.faster = [(stream, AttemptBegun(attempt=1, container="box"))]
    await commands.handle(RUN, stream, CancelRun("ana"))
    events = [r.event for r in await reading.real.read_stream(stream)]
    assert events[-1] == CancelRequested(by="ana"), "active by then, so it is an order and not the end"


async def test_somebody_faster_may_make_it_impossible(reading: Reading, stream: Stream) -> None:
    commands = Commands(reading)
    await commands.handle(RUN, stream, REQUEST)
    reading.faster = [(stream, RunCancelled(attempt=0, by="ben"))]
    with pytest.raises(RunAlreadyOver):
        await commands.handle(RUN, stream, BEGIN)


async def test_somebody_always_faster_is_a_conflict(reading: Reading) -> None:
    commands = Commands(reading)
    stream = pipelines.stream("sales")
    await commands.handle(PIPELINE, stream, DefinePipeline(GOOD))
    reading.faster = [(stream, GOOD if n % 2 else BETTER) for n in range(CONFLICTS_MAX)]
    with pytest.raises(VersionConflict):
        await commands.handle(PIPELINE, stream, BreakPipeline((TYPO,)))
    await commands.handle(PIPELINE, stream, BreakPipeline((TYPO,)))
    assert await commands.state(PIPELINE, stream) == await Commands(reading).state(PIPELINE, stream)


async def test_a_hundred_at_once_make_one_history(store: EventStore, stream: Stream) -> None:
    askers = [Commands(store) for _ in range(4)]
    await askers[0].handle(RUN, stream, REQUEST)
    await asyncio.gather(
        *(askers[n % 4].handle(RUN, stream, BeginAttempt(1, "box")) for n in range(100)),
        return_exceptions=True,
    )
    events = [r.event for r in await store.read_stream(stream)]
    assert events == [REQUESTED, AttemptBegun(attempt=1, container="box")]


async def test_the_same_event_id_is_the_same_request(store: EventStore, stream: Stream) -> None:
    import uuid

    ids = (uuid.uuid4(),)
    first = await Commands(store).handle(RUN, stream, REQUEST, event_ids=ids)
    assert await Commands(store).handle(RUN, stream, REQUEST, event_ids=ids) == first
    changed = RequestRun(runs.RunRequested(pipeline="sales", snapshot="other", entry="main.py"))
    assert await Commands(store).handle(RUN, stream, changed, event_ids=ids) == first
    with pytest.raises(KeyReused):
        await Commands(store).handle(RUN, stream, changed, event_ids=(uuid.uuid4(),))


async def test_an_old_fence_is_refused(store: EventStore, stream: Stream) -> None:
    with pytest.raises(LeaseLost):
        await Commands(store).handle(RUN, stream, REQUEST, fence=Fence("work", 7))
    assert await store.read_stream(stream) == []


async def test_recall_reads_only_what_is_not_known(reading: Reading, stream: Stream) -> None:
    commands = Commands(reading)
    await Commands(reading.real).handle(RUN, stream, REQUEST)
    assert await commands.recall(RUN, stream) == Waiting(REQUESTED)
    await Commands(reading.real).handle(RUN, stream, BEGIN)
    assert await commands.recall(RUN, stream) == Waiting(REQUESTED), "as last known"
    assert reading.reads == 1
    assert await commands.state(RUN, stream) == Active(REQUESTED, 1, "box")


async def test_an_event_read_elsewhere_need_not_be_read_again(reading: Reading, stream: Stream) -> None:
    await Commands(reading.real).handle(RUN, stream, REQUEST)
    await Commands(reading.real).handle(RUN, stream, BEGIN)
    first, second = await reading.real.read_stream(stream)
    commands = Commands(reading)
    commands.hear(RUN, second)
    commands.hear(RUN, first)
    assert await commands.recall(RUN, stream) == Waiting(REQUESTED)
    commands.hear(RUN, second)
    commands.hear(RUN, first)
    assert await commands.recall(RUN, stream) == Active(REQUESTED, 1, "box")
    assert reading.reads == 0


async def test_what_is_remembered_is_bounded(reading: Reading) -> None:
    commands = Commands(reading)
    for _ in range(STREAMS_REMEMBERED_MAX + 5):
        await commands.recall(RUN, runs.stream(new_run()))
    assert len(commands._streams) == STREAMS_REMEMBERED_MAX
