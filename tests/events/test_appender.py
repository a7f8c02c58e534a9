"""The database goes away, hangs, or forgets to answer: what becomes of an append."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from events import appender
from events.errors import DatabaseAway, OutcomeUnknown
from events.store import EventStore
from events.uuid7 import uuid7
from events.verify import verify
from events.wake import Wake
from sql.database import Database
from tests.factory import a_stream, an_event, some_events
from tests.proxy import Proxy
from tests.waiting import until


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    async with Proxy(dsn) as door:
        yield door


@pytest.fixture
async def far_database(proxy: Proxy) -> AsyncIterator[Database]:
    """The database as seen through the door."""
    opened = await Database.open(proxy.dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def far(proxy: Proxy, far_database: Database) -> AsyncIterator[EventStore]:
    """A store on the other side of the door."""
    async with Wake(far_database) as wake, EventStore(far_database, wake) as running:
        await running.append(a_stream(), [an_event()], expected=0)
        yield running
        proxy.mend()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appender, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(appender, "STATEMENT_SECONDS_MAX", 0.2)


async def test_an_append_whose_answer_was_lost_is_stored_once(
    proxy: Proxy, far: EventStore, store: EventStore
) -> None:
    streams = [a_stream() for _ in range(5)]
    proxy.lose_answers()
    sent = asyncio.create_task(proxy.request_with(streams[0].key.encode()))
    appending = [asyncio.create_task(far.append(stream, some_events(2), expected=0)) for stream in streams]
    await sent
    # committed over there, while here nobody knows
    await until(lambda: store.read_stream(streams[-1]))
    assert not any(task.done() for task in appending)
    proxy.cut()
    proxy.mend()
    appended = await asyncio.gather(*appending)
    for stream, each in zip(streams, appended, strict=True):
        stored = await store.read_stream(stream)
        assert [recorded.version for recorded in stored] == [1, 2]
        assert each.position == stored[-1].position


async def test_lines_whose_answer_was_lost_are_stored_once(
    proxy: Proxy, far: EventStore, store: EventStore, database: Database
) -> None:
    await far.append_chunk("r", 1, 5, {}, b"x")
    proxy.lose_answers()
    appending = [asyncio.create_task(far.append_chunk("r", n, n + 4, {}, b"x")) for n in range(6, 100, 5)]

    async def stored() -> bool:
        return await store.last_line("r") == 100

    await until(stored)
    proxy.cut()
    proxy.mend()
    assert {each.version for each in await asyncio.gather(*appending)} == {100}
    assert await verify(database) == []


async def test_an_append_during_a_short_outage_waits_and_succeeds(proxy: Proxy, far: EventStore) -> None:
    proxy.cut()
    stream = a_stream()
    appending = asyncio.create_task(far.append(stream, [an_event()], expected=0))
    await asyncio.sleep(0)
    proxy.mend()
    assert (await appending).version == 1


@pytest.mark.usefixtures("impatient")
async def test_an_append_that_was_never_sent_fails_as_not_stored(
    proxy: Proxy, far: EventStore, far_database: Database, store: EventStore
) -> None:
    proxy.cut()
    await until(lambda: far_database.outage)
    stream = a_stream()
    with pytest.raises(DatabaseAway) as caught:
        await far.append(stream, [an_event()], expected=0)
    assert not isinstance(caught.value, OutcomeUnknown)
    # the next one need not wait to learn it
    with pytest.raises(DatabaseAway):
        await far.append(stream, [an_event()], expected=0)
    proxy.mend()
    while True:
        with contextlib.suppress(DatabaseAway):
            await far.append(stream, [an_event()], expected=0)
            break
    assert len(await store.read_stream(stream)) == 1


@pytest.mark.usefixtures("impatient")
async def test_an_append_that_may_have_been_stored_is_said_to_be_unknown_and_can_be_repeated(
    proxy: Proxy, far: EventStore, store: EventStore
) -> None:
    stream, events, ids = a_stream(), some_events(2), [uuid7(), uuid7()]
    proxy.lose_answers()
    appending = asyncio.create_task(far.append(stream, events, expected=0, event_ids=ids))
    await until(lambda: store.read_stream(stream))
    proxy.cut()
    with pytest.raises(OutcomeUnknown):
        await appending
    proxy.mend()
    while True:
        with contextlib.suppress(DatabaseAway):
            again = await far.append(stream, events, expected=0, event_ids=ids)
            break
    assert again.duplicate
    assert len(await store.read_stream(stream)) == 2


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_hangs_is_left_for_a_new_connection(
    proxy: Proxy, far: EventStore, store: EventStore
) -> None:
    stream = a_stream()
    proxy.freeze()
    chunk = asyncio.create_task(far.append_chunk("r", 1, 5, {}, b"x"))
    with pytest.raises(DatabaseAway):
        await far.append(stream, [an_event()], expected=0)
    proxy.cut()
    proxy.mend()
    assert (await chunk).version == 5
    assert await store.last_line("r") == 5


@pytest.mark.usefixtures("impatient")
async def test_lines_wait_out_an_outage_of_any_length(
    proxy: Proxy, far: EventStore, store: EventStore
) -> None:
    proxy.cut()
    appending = [asyncio.create_task(far.append_chunk("r", n, n, {}, b"x")) for n in range(1, 21)]
    for _ in range(3):
        with pytest.raises(DatabaseAway):
            await far.append(a_stream(), [an_event()], expected=0)
    assert not any(task.done() for task in appending)
    proxy.mend()
    await asyncio.gather(*appending)
    assert await store.last_line("r") == 20


@pytest.mark.usefixtures("far")
async def test_an_outage_is_told_and_ends_by_itself(proxy: Proxy, far_database: Database) -> None:
    proxy.cut()
    await until(lambda: far_database.outage)
    assert far_database.outage is not None
    assert far_database.outage.kind == "away"
    proxy.mend()
    await until(lambda: far_database.outage is None)


async def test_a_missing_partition_is_added_when_needed(store: EventStore, database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute("select setval('head', 77000000)")
    await store.append_chunk("r", 1, 5, {}, b"x")
    assert len(await store.read_chunks("r", 1, 10)) == 1
    assert await verify(database) == []


async def test_stopping_lets_the_appends_under_way_finish(database: Database, wake: Wake) -> None:
    stream = a_stream()
    async with EventStore(database, wake) as stopping:
        appending = [
            asyncio.create_task(stopping.append(stream, [an_event()], expected=None)) for _ in range(50)
        ]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*appending)) == 50
    with pytest.raises(DatabaseAway, match="stopping"):
        await stopping.append(stream, [an_event()], expected=None)


async def test_stopping_without_a_database_does_not_wait_for_ever(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "DRAIN_SECONDS_MAX", 0.1)
    database = await Database.open(proxy.dsn)
    async with Wake(database) as wake, EventStore(database, wake) as stopping:
        proxy.cut()
        appending = asyncio.create_task(stopping.append_chunk("r", 1, 5, {}, b"x"))
        await asyncio.sleep(0)
    with pytest.raises(DatabaseAway, match="stopping"):
        await appending
    await database.close()
