"""Any sequence of requests, and any bundle of them at once, leaves what a dictionary of lists would."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections import defaultdict
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.base import Event, Stream
from events.errors import VersionConflict
from events.store import Appended, EventStore
from events.uuid7 import uuid7
from events.verify import verify
from events.wake import Wake
from sql.database import Database
from tests.factory import some_events

STREAMS = 4
against_postgres = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclasses.dataclass(frozen=True)
class Append:
    """A decision's events."""

    stream: int
    count: int
    ahead: int | None
    """How far the expected version is from the true one; None expects nothing."""


@dataclasses.dataclass(frozen=True)
class Repeat:
    """An earlier append again, word for word."""

    which: int


@dataclasses.dataclass(frozen=True)
class Lines:
    """A chunk."""

    log: int
    ahead: int
    """How far its first line is from the next one."""
    count: int


Operation: TypeAlias = Append | Repeat | Lines

stream_numbers = st.integers(0, STREAMS - 1)
appends = st.builds(Append, stream_numbers, st.integers(1, 4), st.sampled_from([None, 0, 0, 0, 0, -1, 1, -2]))
repeats = st.builds(Repeat, st.integers(0, 50))
lines = st.builds(Lines, stream_numbers, st.sampled_from([0, 0, 0, 0, 1, -1, -5]), st.integers(1, 6))


@dataclasses.dataclass
class Sent:
    """An append that was accepted."""

    stream: Stream
    events: list[Event]
    ids: list[uuid.UUID]
    appended: Appended


class Model:
    """What the log should hold."""

    def __init__(self, store: EventStore) -> None:
        run = uuid7().hex
        self.store = store
        self.streams = [Stream("run", f"{run}-{number}") for number in range(STREAMS)]
        self.logs = [f"{run}-{number}" for number in range(STREAMS)]
        self.events: dict[Stream, list[Event]] = defaultdict(list)
        self.chunks: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.sent: list[Sent] = []

    async def perform(self, operation: Operation) -> None:
        match operation:
            case Append():
                await self.append(operation)
            case Repeat():
                await self.repeat(operation)
            case Lines():
                await self.print_lines(operation)

    async def append(self, operation: Append) -> None:
        stream = self.streams[operation.stream]
        present = len(self.events[stream])
        expected = None if operation.ahead is None else present + operation.ahead
        events, ids = some_events(operation.count), [uuid7() for _ in range(operation.count)]
        try:
            appended = await self.store.append(stream, events, expected=expected, event_ids=ids)
        except VersionConflict:
            assert operation.ahead
            return
        assert not operation.ahead
        assert (appended.version, appended.duplicate) == (present + operation.count, False)
        assert not self.sent or appended.position >= self.sent[-1].appended.position + operation.count
        self.events[stream] += events
        self.sent.append(Sent(stream, events, ids, appended))

    async def repeat(self, operation: Repeat) -> None:
        if not self.sent:
            return
        sent = self.sent[operation.which % len(self.sent)]
        again = await self.store.append(sent.stream, sent.events, expected=0, event_ids=sent.ids)
        assert again == dataclasses.replace(sent.appended, duplicate=True)

    async def print_lines(self, operation: Lines) -> None:
        log = self.logs[operation.log]
        last = self.chunks[log][-1][1] if self.chunks[log] else 0
        first = last + 1 + operation.ahead
        end = first + operation.count - 1
        if first < 1:
            return
        try:
            appended = await self.store.append_chunk(log, first, end, {}, b"x")
        except VersionConflict:
            assert first != last + 1
            assert end > last
            return
        assert appended.duplicate == (end <= last)
        assert appended.version == max(end, last)
        if not appended.duplicate:
            assert first == last + 1
            self.chunks[log].append((first, end))

    async def compare(self) -> None:
        for stream in self.streams:
            stored = await self.store.read_stream(stream)
            assert [recorded.event for recorded in stored] == self.events[stream]
            assert [recorded.version for recorded in stored] == list(range(1, len(stored) + 1))
        for log in self.logs:
            chunks = await self.store.read_chunks(log, 1, 1000)
            assert [(chunk.first_line, chunk.last_line) for chunk in chunks] == self.chunks[log]


@against_postgres
@given(st.lists(appends | repeats | lines, max_size=25))
async def test_one_request_after_another(
    store: EventStore, database: Database, operations: list[Operation]
) -> None:
    model = Model(store)
    for operation in operations:
        await model.perform(operation)
    await model.compare()
    assert await verify(database) == []


@against_postgres
@given(st.lists(st.lists(appends, min_size=1, max_size=12), max_size=5))
async def test_requests_of_two_processes_at_once(
    store: EventStore, wake: Wake, database: Database, bundles: list[list[Append]]
) -> None:
    model = Model(store)
    before = await store.head()
    accepted: list[Appended] = []
    async with EventStore(database, wake) as other:
        for bundle in bundles:
            present = [len(await store.read_stream(stream)) for stream in model.streams]
            outcomes = await asyncio.gather(
                *[
                    (store, other)[number % 2].append(
                        model.streams[each.stream],
                        some_events(each.count),
                        expected=None if each.ahead is None else present[each.stream] + each.ahead,
                    )
                    for number, each in enumerate(bundle)
                ],
                return_exceptions=True,
            )
            for stream in range(STREAMS):
                told = [(each, outcomes[n]) for n, each in enumerate(bundle) if each.stream == stream]
                stored = [outcome for each, outcome in told if isinstance(outcome, Appended)]
                assert all(isinstance(outcome, Appended | VersionConflict) for _, outcome in told)
                # who expects nothing is never refused, and of those who expect the same at most one is not
                assert all(isinstance(outcome, Appended) for each, outcome in told if each.ahead is None)
                for ahead in (-2, -1, 0, 1):
                    winners = [each for each, outcome in told if each.ahead == ahead and outcome in stored]
                    assert len(winners) <= 1
                grown = len(await store.read_stream(model.streams[stream])) - present[stream]
                assert grown == sum(each.count for each, outcome in told if outcome in stored)
                accepted += stored
    positions = [recorded.position for recorded in await store.read_control(before, 10_000)]
    assert positions == sorted(set(positions))
    assert {each.position for each in accepted} <= set(positions)
    assert await verify(database) == []
