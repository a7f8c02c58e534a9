"""Whoever waits hears of news: at once here, soon elsewhere, and always within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from events import wake as wake_module
from events.store import EventStore
from events.wake import EVERYTHING, PAYLOAD_BYTES_MAX, Wake, _payloads
from sql.database import Database
from tests.factory import a_stream, an_event
from tests.proxy import Proxy
from tests.waiting import until


@pytest.fixture
async def other(dsn: str) -> AsyncIterator[Wake]:
    """Another process."""
    database = await Database.open(dsn)
    async with Wake(database) as running:
        await running.listening.wait()
        yield running
    await database.close()


def comes_back(wake: Wake) -> asyncio.Event:
    """Set when it listens again."""
    listening = asyncio.Event()

    def hear(topics: frozenset[str]) -> None:
        if EVERYTHING in topics:
            listening.set()

    wake.on_stale(hear)
    return listening


async def terminate(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'fastflow wake'"
        )


async def test_an_append_wakes_this_process_at_once(store: EventStore, wake: Wake) -> None:
    waiting = asyncio.create_task(wake.beyond(0, timeout=10))
    await asyncio.sleep(0)
    appended = await store.append(a_stream(), [an_event()], expected=0)
    assert await waiting == appended.position
    assert await wake.beyond(0) == appended.position


async def test_an_append_wakes_other_processes_before_their_next_look(store: EventStore, other: Wake) -> None:
    for _ in range(5):
        position = other.head
        waiting = asyncio.create_task(other.beyond(position, timeout=10))
        before = time.monotonic()
        appended = await store.append(a_stream(), [an_event()], expected=0)
        while await waiting < appended.position:
            waiting = asyncio.create_task(other.beyond(other.head, timeout=10))
    assert time.monotonic() - before < wake_module.POLL_SECONDS


async def test_lines_wake_those_who_wait_for_anything_and_not_those_who_wait_for_events(
    store: EventStore, wake: Wake, other: Wake
) -> None:
    for each in (wake, other):
        appended = await store.append_chunk("r", each.head + 1, each.head + 1, {}, b"x")
        assert await each.beyond(appended.position - 1, timeout=10) == appended.position
        assert await each.beyond_control(0, timeout=0.01) == 0


async def test_waiting_ends_with_its_time(wake: Wake) -> None:
    assert await wake.beyond(0, timeout=0.01) == 0
    assert await wake.beyond(17, timeout=0) == 0


async def test_a_lost_notification_costs_one_look(
    store: EventStore, other: Wake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other, "_on_head", lambda *_: None)
    appended = await store.append(a_stream(), [an_event()], expected=0)
    assert await other.beyond(appended.position - 1, timeout=10) == appended.position


async def test_a_terminated_listener_comes_back_and_has_missed_nothing(
    store: EventStore, other: Wake, database: Database
) -> None:
    for _ in range(3):
        position = other.head
        back = comes_back(other)
        await terminate(database)
        appended = await store.append(a_stream(), [an_event()], expected=0)
        while position < appended.position:
            position = await other.beyond(position, timeout=10)
        await back.wait()


async def test_a_listener_behind_a_silent_network_is_replaced(
    dsn: str, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_module, "ANSWER_SECONDS_MAX", 0.2)
    async with Proxy(dsn) as proxy:
        database = await Database.open(proxy.dsn)
        async with Wake(database) as far:
            await far.listening.wait()
            back = comes_back(far)
            proxy.freeze()
            await until(lambda: database.outage)
            proxy.mend()
            await back.wait()
            appended = await store.append(a_stream(), [an_event()], expected=0)
            assert await far.beyond(appended.position - 1, timeout=10) == appended.position
        await database.close()


async def test_notifications_that_do_not_come_back_are_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(wake_module, "ECHO_SECONDS_MAX", 0.05)
    deaf = Wake(database)
    monkeypatch.setattr(deaf, "_on_head", lambda *_: None)
    with capture_logs() as logs:
        async with deaf:
            await until(
                lambda: any("LISTEN needs a direct connection" in str(log.get("reason")) for log in logs)
            )


async def test_stale_topics_reach_every_process_once(wake: Wake, other: Wake) -> None:
    here: list[str] = []
    there: list[str] = []
    arrived = asyncio.Event()

    def hear(topics: frozenset[str]) -> None:
        there.extend(topics)
        if "last" in topics:
            arrived.set()

    await wake.listening.wait()
    wake.on_stale(here.extend)
    other.on_stale(hear)
    wake.say_stale([])
    for number in range(1000):
        wake.say_stale([f"run-{number}", "runs"])
    wake.say_stale(["last"])
    assert here.count("runs") == 1000
    await arrived.wait()
    assert set(there) == set(here)
    assert there.count("runs") < 20


async def test_topics_said_while_the_connection_breaks_still_arrive(
    wake: Wake, other: Wake, database: Database
) -> None:
    there: set[str] = set()
    grown = asyncio.Event()

    def hear(topics: frozenset[str]) -> None:
        there.update(topics)
        grown.set()

    await wake.listening.wait()
    other.on_stale(hear)
    for number in range(30):
        if number % 10 == 5:
            await terminate(database)
        wake.say_stale([f"run-{number}"])
        await asyncio.sleep(0)
    # the listener may itself have been away: then it is told that anything may have changed
    while not (there >= {f"run-{number}" for number in range(30)} or EVERYTHING in there):
        grown.clear()
        await grown.wait()


async def test_too_many_pending_topics_become_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_module, "TOPICS_PENDING_MAX", 10)
    idle = Wake(database)
    for number in range(50):
        idle.say_stale([f"run-{number}"])
    assert EVERYTHING in idle._topics
    assert len(idle._topics) <= 11


def test_topics_are_packed_into_few_messages_that_fit() -> None:
    topics = {f"pipeline-{'é' * 40}-{number}" for number in range(1000)} | {"x" * 9000}
    payloads = list(_payloads(topics))
    assert all(len(payload.encode()) <= PAYLOAD_BYTES_MAX for payload in payloads)
    assert len(payloads) < 20
    assert {topic for payload in payloads for topic in payload.split("\n")} == topics - {"x" * 9000}
    assert list(_payloads([])) == []
