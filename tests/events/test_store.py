"""Appending and reading control streams."""

from __future__ import annotations

import asyncio
import datetime as dt

import asyncpg
import pytest

from events import run
from events.base import Metadata, Stream
from events.errors import LeaseLost, UnknownEvent, VersionConflict
from events.lease import Lease
from events.requests import Fence
from events.run import AttemptBegun, ContainerRemoved
from events.store import EventStore
from events.uuid7 import uuid7
from events.verify import verify
from events.wake import Wake
from sql.database import Database
from tests.factory import SOMEBODY_WAITS_FOR_ITS_TURN, a_stream, an_event, some_events
from tests.waiting import until


async def test_what_is_appended_is_read_back_as_it_was(store: EventStore) -> None:
    stream = a_stream()
    begun, removed = AttemptBegun(attempt=1, container="ff-1"), ContainerRemoved(attempt=1)
    ids = [uuid7(), uuid7()]
    meta = Metadata(actor="page", causation="click")
    before = dt.datetime.now(dt.UTC)
    appended = await store.append(stream, [begun, removed], expected=0, meta=meta, event_ids=ids)
    first, second = await store.read_stream(stream)
    assert (first.event, second.event) == (begun, removed)
    assert (first.version, second.version) == (1, 2)
    assert [first.event_id, second.event_id] == ids
    assert first.stream == second.stream == stream
    assert first.meta == second.meta == meta
    assert second.position == first.position + 1 == appended.position == await store.head()
    assert appended.version == 2
    assert not appended.duplicate
    assert abs(first.at - before) < dt.timedelta(minutes=1)
    assert await store.read_control(0) == [first, second]


async def test_reading_goes_on_after_a_version_a_position_and_over_pages(store: EventStore) -> None:
    stream = a_stream()
    for _ in range(3):
        await store.append(stream, some_events(800), expected=None)
    events = await store.read_stream(stream)
    assert [recorded.version for recorded in events] == list(range(1, 2401))
    assert await store.read_stream(stream, after_version=2399) == events[-1:]
    assert await store.read_stream(a_stream()) == []
    assert await store.read_control(events[9].position, 5) == events[10:15]
    assert await store.read_control(events[-1].position) == []


async def test_reading_can_keep_to_some_types(store: EventStore) -> None:
    stream = a_stream()
    for attempt in range(1, 31):
        await store.append(stream, [AttemptBegun(attempt=attempt, container="c")], expected=None)
        await store.append(stream, some_events(9), expected=None)
    found = await store.read_control(0, 7, types=["run.attempt_begun"])
    assert [recorded.event for recorded in found] == [
        AttemptBegun(attempt=n, container="c") for n in range(1, 8)
    ]
    rest = await store.read_control(found[-1].position, 1000, types=["run.attempt_begun"])
    assert len(rest) == 23
    assert await store.read_control(0, types=["run.succeeded"]) == []


@pytest.mark.parametrize(("present", "expected"), [(0, 1), (3, 0), (3, 2), (3, 4)])
async def test_a_wrong_expectation_is_a_conflict_and_stores_nothing(
    store: EventStore, present: int, expected: int
) -> None:
    stream = a_stream()
    if present:
        await store.append(stream, some_events(present), expected=0)
    with pytest.raises(VersionConflict, match=f"{stream} is at version {present}"):
        await store.append(stream, some_events(2), expected=expected)
    assert len(await store.read_stream(stream)) == present
    await store.append(stream, some_events(2), expected=present)


async def test_one_of_many_who_expect_the_same_wins(store: EventStore) -> None:
    stream = a_stream()
    outcomes = await asyncio.gather(
        *[store.append(stream, [an_event()], expected=0) for _ in range(50)], return_exceptions=True
    )
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 49
    assert len(await store.read_stream(stream)) == 1


async def test_all_of_many_who_expect_nothing_are_stored_in_the_order_they_came(store: EventStore) -> None:
    stream = a_stream()
    appended = await asyncio.gather(*[store.append(stream, [an_event()], expected=None) for _ in range(300)])
    assert [each.version for each in appended] == list(range(1, 301))


async def test_the_loser_of_a_race_does_not_hinder_the_others(store: EventStore) -> None:
    taken = a_stream()
    await store.append(taken, [an_event()], expected=0)
    streams = [a_stream() for _ in range(20)]
    outcomes = await asyncio.gather(
        *[
            store.append(stream, some_events(3), expected=0)
            for stream in (*streams[:10], taken, *streams[10:])
        ],
        return_exceptions=True,
    )
    assert [isinstance(outcome, VersionConflict) for outcome in outcomes] == [False] * 10 + [True] + [
        False
    ] * 10


async def test_the_same_ids_again_give_the_first_answer_again(store: EventStore) -> None:
    stream = a_stream()
    ids = [uuid7(), uuid7()]
    events = some_events(2)
    first = await store.append(stream, events, expected=0, event_ids=ids)
    await store.append(stream, [an_event()], expected=2)
    for expected in (0, None, 17):
        again = await store.append(stream, events, expected=expected, event_ids=ids)
        assert (again.position, again.version, again.duplicate) == (first.position, first.version, True)
    assert len(await store.read_stream(stream)) == 3


async def test_repeats_at_the_same_moment_are_stored_once(store: EventStore) -> None:
    stream = a_stream()
    ids = [uuid7()]
    appended = await asyncio.gather(
        *[store.append(stream, [an_event()], expected=0, event_ids=ids) for _ in range(20)]
    )
    assert len({each.position for each in appended}) == 1
    assert [each.duplicate for each in appended].count(False) == 1


async def test_an_id_that_was_used_for_something_else_is_a_conflict(store: EventStore) -> None:
    ids = [uuid7(), uuid7()]
    await store.append(a_stream(), some_events(2), expected=0, event_ids=ids)
    for other in ([ids[0]], [ids[1], uuid7()]):
        with pytest.raises(VersionConflict):
            await store.append(a_stream(), some_events(len(other)), expected=None, event_ids=other)


async def test_a_request_that_the_database_refuses_fails_alone(store: EventStore, database: Database) -> None:
    clash = uuid7()
    streams = [a_stream() for _ in range(5)]
    # two streams with one id in one batch: the second breaks the unique index, not a rule of the function
    outcomes = await asyncio.gather(
        *[
            store.append(stream, [an_event()], expected=0, event_ids=[clash if number in {1, 3} else uuid7()])
            for number, stream in enumerate(streams)
        ],
        return_exceptions=True,
    )
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, False, False, True, False]
    twice = uuid7()
    with pytest.raises(asyncpg.UniqueViolationError):
        await store.append(a_stream(), some_events(2), expected=0, event_ids=[twice, twice])
    assert not (await store.append(a_stream(), [an_event()], expected=0)).duplicate
    assert await verify(database) == []


async def test_nothing_to_append_is_a_mistake(store: EventStore) -> None:
    with pytest.raises(ValueError, match="nothing to append"):
        await store.append(a_stream(), [], expected=0)


async def test_a_caller_who_gives_up_does_not_stop_the_append(store: EventStore, database: Database) -> None:
    gate = await database.connect()
    stream, unsent = a_stream(), a_stream()
    async with gate.transaction():
        await gate.execute("select pg_advisory_xact_lock(7701, 0)")
        appending = asyncio.create_task(store.append(stream, [an_event()], expected=0))
        await until(lambda: gate.fetchval(SOMEBODY_WAITS_FOR_ITS_TURN))
        waiting = asyncio.create_task(store.append(unsent, [an_event()], expected=0))
        await asyncio.sleep(0)
        for task in (appending, waiting):
            task.cancel()
        outcomes = await asyncio.gather(appending, waiting, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await gate.close()
    await store.append(a_stream(), [an_event()], expected=0)
    assert len(await store.read_stream(stream)) == 1
    assert await store.read_stream(unsent) == []


async def test_the_holder_of_a_lease_appends_until_somebody_else_takes_it(
    store: EventStore, database: Database
) -> None:
    stream = a_stream()
    ids = [uuid7()]
    async with Lease(database, "work", "first") as first:
        stored = await store.append(stream, [an_event()], expected=0, event_ids=ids, fence=first.fence)
        with pytest.raises(LeaseLost):
            await store.append(stream, [an_event()], expected=1, fence=Fence("work", first.epoch + 1))
        with pytest.raises(LeaseLost):
            await store.append(stream, [an_event()], expected=1, fence=Fence("unheard-of", 1))
    async with Lease(database, "work", "second") as second:
        with pytest.raises(LeaseLost):
            await store.append(stream, [an_event()], expected=1, fence=first.fence)
        # what it stored while it held the lease is still an answer
        again = await store.append(stream, [an_event()], expected=0, event_ids=ids, fence=first.fence)
        assert (again.position, again.duplicate) == (stored.position, True)
        await store.append(stream, [an_event()], expected=1, fence=second.fence)


async def test_two_processes_share_one_order(store: EventStore, wake: Wake, database: Database) -> None:
    streams = [a_stream() for _ in range(10)]
    async with EventStore(database, wake) as other:
        appended = await asyncio.gather(
            *[
                each.append(streams[number % 10], some_events(1 + number % 3), expected=None)
                for number in range(200)
                for each in (store, other)
            ]
        )
    assert len({each.position for each in appended}) == 400
    rows = await store.read_control(0, 10_000)
    assert [recorded.position for recorded in rows] == sorted(recorded.position for recorded in rows)
    assert len(rows) == 2 * sum(1 + number % 3 for number in range(200))
    assert await verify(database) == []


async def test_replay_shows_rows_as_stored_also_those_this_release_cannot_read(
    store: EventStore, database: Database
) -> None:
    stream, other = a_stream(), a_stream()
    await store.append(
        stream, [AttemptBegun(attempt=1, container="c")], expected=0, meta=Metadata(actor="cli")
    )
    await store.append(other, some_events(2), expected=0)
    async with database.acquire() as connection:
        await connection.execute(
            "select append('{run}', array[$1], '{1}', '{\"{}\"}', '{null}', '{null}', '{1}',"
            " '{run.future}', '{7}', array[gen_random_uuid()], array['{\"a\": [1]}'])",
            stream.key,
        )
    begun, *_, future = await store.read_raw(0, 10)
    assert (begun.type, begun.stream, begun.version) == ("run.attempt_begun", str(stream), 1)
    assert (begun.data, begun.meta) == ({"attempt": 1, "container": "c"}, {"actor": "cli"})
    assert (future.type, future.data) == ("run.future", {"a": [1]})
    assert await store.read_raw(0, 10, stream) == [begun, future]
    assert await store.read_raw(begun.position, 1, stream) == [future]
    assert await store.read_raw(0, 10, type="run.future") == [future]
    assert await store.read_raw(0, 10, other, "run.future") == []
    assert await store.read_raw(0, 10, Stream("run", "nobody")) == []
    # followers pass over what they do not know; deciding on half a stream is refused
    assert len(await store.read_control(0)) == 3
    with pytest.raises(UnknownEvent):
        await store.read_stream(stream)


async def test_stored_events_cannot_be_changed(store: EventStore, database: Database) -> None:
    await store.append(a_stream(), [an_event()], expected=0)
    await store.append_chunk("r", 1, 5, {}, b"lines")
    for table in ("event", "event_control", "event_log", "event_log_0000000000000000000"):
        for statement in (f"update {table} set type = 'x'", f"delete from {table}", f"truncate {table}"):  # noqa: S608
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="events are never changed"):
                async with database.acquire() as connection:
                    await connection.execute(statement)


async def test_an_append_inside_a_stricter_transaction_is_refused(database: Database) -> None:
    with pytest.raises(asyncpg.InvalidTransactionStateError, match="READ COMMITTED"):
        async with database.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            await connection.fetch(
                "select append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')"
            )


def test_identifiers_sort_by_time_and_say_their_version() -> None:
    made = [uuid7() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {identifier.version for identifier in made} == {7}
    assert [identifier.int >> 80 for identifier in made] == sorted(
        identifier.int >> 80 for identifier in made
    )
    assert run.stream(str(made[0])).key == str(made[0]).lower()
