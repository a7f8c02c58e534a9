"""Backends die at any moment, again and again; the log keeps its word."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from events import run
from events.base import Stream
from events.errors import Unavailable, VersionConflict
from events.follower import Follower
from events.signal import Signal
from events.store import EventStore
from events.uuid7 import uuid7
from events.verify import verify
from events.wake import Wake
from sql.database import Database
from tests.factory import some_events

KILLS = 110
WRITERS = 6
LOG_WRITERS = 3
SECONDS_MAX = 60


class Witness:
    """What was promised to somebody, to be compared with what is there."""

    def __init__(self) -> None:
        self.stored: dict[uuid.UUID, tuple[int, int]] = {}
        """Position and version of the last event of each acknowledged append, by its id."""
        self.ids: set[uuid.UUID] = set()
        self.lines: dict[str, int] = {}
        self.seen: list[tuple[int, uuid.UUID]] = []
        self.saw = Signal()
        self.over = asyncio.Event()


@contextlib.asynccontextmanager
async def a_process(dsn: str) -> AsyncIterator[tuple[Database, Wake, EventStore]]:
    database = await Database.open(dsn)
    try:
        async with Wake(database) as wake, EventStore(database, wake) as store:
            yield database, wake, store
    finally:
        await database.close()


async def write(store: EventStore, streams: list[Stream], witness: Witness, chance: random.Random) -> None:
    while not witness.over.is_set():
        stream = chance.choice(streams)
        try:
            known = await store.read_stream(stream)
        except Unavailable:
            continue
        expected = chance.choice([None, known[-1].version if known else 0])
        ids = [uuid7() for _ in range(chance.randint(1, 3))]
        try:
            appended = await store.append(stream, some_events(len(ids)), expected=expected, event_ids=ids)
        except VersionConflict:
            continue
        witness.stored[ids[-1]] = (appended.position, appended.version)
        witness.ids.update(ids)


async def print_lines(store: EventStore, name: str, witness: Witness, chance: random.Random) -> None:
    last = 0
    while not witness.over.is_set():
        chunks = []
        for _ in range(chance.randint(1, 4)):
            first, last = last + 1, last + chance.randint(1, 50)
            chunks.append(store.append_chunk(name, first, last, {"attempt": 1}, b"x" * 100))
        await asyncio.gather(*chunks)
        witness.lines[name] = last


async def watch(store: EventStore, wake: Wake, witness: Witness) -> None:
    async for batch in Follower(store, wake, 0, page=37):
        witness.seen += [(recorded.position, recorded.event_id) for recorded in batch]
        witness.saw.give()


async def kill(dsn: str, chance: random.Random) -> int:
    killed = 0
    connection = await asyncpg.connect(dsn)
    while killed < KILLS:
        pids = await connection.fetch(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and application_name like 'fastflow%'"
        )
        if pids:
            await connection.execute("select pg_terminate_backend($1)", chance.choice(pids)["pid"])
            killed += 1
        await asyncio.sleep(chance.uniform(0.02, 0.15))
    await connection.close()
    return killed


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_doubled_and_no_reader_misses_an_event(dsn: str) -> None:
    chance = random.Random(7)  # noqa: S311
    witness = Witness()
    streams = [run.stream(str(uuid7())) for _ in range(20)]
    async with (
        asyncio.timeout(SECONDS_MAX),
        a_process(dsn) as (_, _, left),
        a_process(dsn) as (_, _, right),
        a_process(dsn) as (database, wake, reader),
    ):
        watching = asyncio.create_task(watch(reader, wake, witness))
        async with asyncio.TaskGroup() as tasks:
            for number in range(WRITERS):
                store = left if number % 2 else right
                tasks.create_task(write(store, streams, witness, random.Random(number)))  # noqa: S311
            for number in range(LOG_WRITERS):
                store = left if number % 2 else right
                tasks.create_task(print_lines(store, f"{number}", witness, random.Random(number)))  # noqa: S311
            assert await kill(dsn, chance) == KILLS
            witness.over.set()

        rows = []
        after = 0
        while page := await reader.read_control(after, 1000):
            rows += [(recorded.position, recorded.event_id) for recorded in page]
            after = page[-1].position
        while witness.seen[-1][0] < after:
            await witness.saw.next().wait()
        watching.cancel()
        kept = {event_id: position for position, event_id in rows}
        assert await verify(database) == []
        assert Counter(event_id for _, event_id in rows).most_common(1)[0][1] == 1
        assert {event_id: kept.get(event_id) for event_id in witness.stored} == {
            event_id: position for event_id, (position, _) in witness.stored.items()
        }
        assert witness.ids <= kept.keys()
        assert witness.seen == rows
        for name, last in witness.lines.items():
            chunks = await reader.read_chunks(name, 1, 100_000)
            assert [chunk.first_line for chunk in chunks] == [
                1,
                *(chunk.last_line + 1 for chunk in chunks[:-1]),
            ]
            assert chunks[-1].last_line == last
        assert len(witness.stored) > KILLS
