"""Writers and readers that note what they were promised, while the database suffers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator

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

LINES_MAX = 100_000


class Witness:
    """What was promised to somebody, to be compared with what is there."""

    def __init__(self) -> None:
        self.stored: dict[uuid.UUID, tuple[int, int]] = {}
        """Position and version of the last event of each acknowledged append, by its id."""
        self.ids: set[uuid.UUID] = set()
        self.lines: dict[str, int] = {}
        """The last line of each log that was said to be durable."""
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
    """Go on after the last stored line, as a recorder does; now and then make sure of them."""
    while not witness.over.is_set():
        try:
            last = await store.last_line(name)
            chunks = []
            for _ in range(chance.randint(1, 4)):
                first, last = last + 1, last + chance.randint(1, 50)
                chunks.append(store.append_chunk(name, first, last, {"attempt": 1}, b"x" * 100))
            # a crash of the database may have taken lines back that were stored before
            with contextlib.suppress(VersionConflict):
                await asyncio.gather(*chunks)
            witness.lines[name] = await store.settle_log(name)
        except Unavailable:
            continue


async def watch(store: EventStore, wake: Wake, witness: Witness) -> None:
    async for batch in Follower(store, wake, 0, page=37):
        witness.seen += [(recorded.position, recorded.event_id) for recorded in batch]
        witness.saw.give()


async def compare(database: Database, store: EventStore, witness: Witness) -> None:
    """Nothing acknowledged is lost, nothing is there twice, and the reader saw all of it in order."""
    rows: list[tuple[int, uuid.UUID]] = []
    after = 0
    while page := await store.read_control(after, 1000):
        rows += [(recorded.position, recorded.event_id) for recorded in page]
        after = page[-1].position
    while witness.seen[-1][0] < after:
        await witness.saw.next().wait()
    kept = {event_id: position for position, event_id in rows}
    assert await verify(database) == []
    assert Counter(event_id for _, event_id in rows).most_common(1)[0][1] == 1
    assert {event_id: kept.get(event_id) for event_id in witness.stored} == {
        event_id: position for event_id, (position, _) in witness.stored.items()
    }
    assert witness.ids <= kept.keys()
    assert witness.seen == rows
    for name, last in witness.lines.items():
        chunks = await store.read_chunks(name, 1, LINES_MAX)
        assert [chunk.first_line for chunk in chunks] == [1, *(chunk.last_line + 1 for chunk in chunks[:-1])]
        assert chunks[-1].last_line >= last
