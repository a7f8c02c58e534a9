"""The event log as everybody sees it: append, and read back."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import sql
from events import codec, run
from events.appender import Appender
from events.background import Background
from events.base import Event, Metadata, RawRecorded, Recorded, Stream
from events.requests import Appended, ChunkRequest, ControlLane, ControlRequest, Fence, LogLane
from events.uuid7 import uuid7
from events.wake import Wake
from sql.database import Database

__all__ = ["Appended", "EventStore", "Fence", "StoredChunk"]

PAGE_EVENTS_MAX = 1000
NO_META = Metadata()

_queries = sql.load("event_log")


@dataclasses.dataclass(frozen=True, slots=True)
class StoredChunk:
    """Lines of one log as the recorder handed them in."""

    position: int
    first_line: int
    last_line: int
    head: dict[str, Any]
    payload: bytes


class EventStore:
    """Appends through one task per lane; reads through the pool. Every method may raise DatabaseAway."""

    def __init__(self, database: Database, wake: Wake) -> None:
        self._database = database
        self._control = Appender[ControlRequest](database, ControlLane(), wake.announce)
        self._log = Appender[ChunkRequest](database, LogLane(), wake.announce_log)
        self._background = Background()

    async def __aenter__(self) -> Self:
        """Start the appenders; they connect when there is something to append."""
        await self._background.begin(append_control=self._control.run(), append_log=self._log.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the appends under way a few seconds, then stop."""
        try:
            if error is None:
                await asyncio.gather(self._control.drain(), self._log.drain())
        finally:
            await self._background.end(error)

    async def append(
        self,
        stream: Stream,
        events: Sequence[Event],
        *,
        expected: int | None,
        meta: Metadata = NO_META,
        event_ids: Sequence[uuid.UUID] | None = None,
        fence: Fence | None = None,
    ) -> Appended:
        """Append all events or none; the answer tells where the last one lies.

        `expected` is the stream's version (0: it must be empty), or None for any. The same `event_ids` again
        give the first answer again. Raises VersionConflict, LeaseLost, StorageFull, DatabaseAway, and
        OutcomeUnknown when the database went away meanwhile for longer than we wait.
        """
        if not events:
            message = "nothing to append"
            raise ValueError(message)
        ids = event_ids or [uuid7() for _ in events]
        rows = [
            (kind, schema_v, event_id, data)
            for event_id, (kind, schema_v, data) in zip(ids, map(codec.encode, events), strict=True)
        ]
        return await self._control.append(
            ControlRequest(
                (stream.category, stream.key),
                fence,
                sum(len(row[3]) for row in rows),
                expected,
                codec.encode_meta(meta),
                rows,
            )
        )

    async def append_chunk(
        self,
        run: str,
        first_line: int,
        last_line: int,
        head: dict[str, Any],
        payload: bytes,
        *,
        fence: Fence | None = None,
    ) -> Appended:
        """Append lines that begin right after the log's last one; lines already there are a duplicate.

        Waits out every outage. The commit is asynchronous: a crash of the database may take the last ones
        back, so end with `settle_log`. Raises VersionConflict (read `last_line` again), LeaseLost.
        """
        if not 1 <= first_line <= last_line:
            message = f"lines {first_line} to {last_line} are not a chunk"
            raise ValueError(message)
        return await self._log.append(
            ChunkRequest(
                ("log", run), fence, len(payload), first_line, last_line, codec.encode_head(head), payload
            )
        )

    async def settle_log(self, run: str) -> int:
        """Make what was appended so far durable; the last line of the run's log that is now sure to stay."""
        async with self._database.acquire() as connection:
            await connection.execute(_queries.make_durable)
        return await self.last_line(run)

    async def read_stream(self, stream: Stream, after_version: int = 0) -> list[Recorded[Event]]:
        """All events of one control stream after a version; raises UnknownEvent."""
        found: list[Recorded[Event]] = []
        async with self._database.acquire() as connection:
            while True:
                rows = await connection.fetch(
                    _queries.read_stream, stream.category, stream.key, after_version, PAGE_EVENTS_MAX
                )
                found += [
                    Recorded(
                        position,
                        stream,
                        version,
                        codec.decode(kind, schema_v, data),
                        event_id,
                        at,
                        codec.decode_meta(meta),
                    )
                    for position, version, kind, schema_v, event_id, data, meta, at in rows
                ]
                if len(rows) < PAGE_EVENTS_MAX:
                    return found
                after_version = found[-1].version

    async def read_control(
        self, after: int, limit: int = PAGE_EVENTS_MAX, types: Sequence[str] | None = None
    ) -> list[Recorded[Event]]:
        """Events of the control lane after a position, at most `limit`; raises UnknownEvent."""
        wanted = None if types is None else frozenset(types)
        # those wanted may be few among many
        page = limit if wanted is None else max(limit, PAGE_EVENTS_MAX)
        found: list[Recorded[Event]] = []
        while len(found) < limit:
            events, reached = await self.read_window(after, page, wanted)
            found += events
            if reached == after:
                break
            after = reached
        return found[:limit]

    async def read_window(
        self, after: int, page: int, types: frozenset[str] | None
    ) -> tuple[list[Recorded[Event]], int]:
        """The wanted among the next `page` events of the control lane, and the position of the last of all.

        Types this release does not know are passed over, as a newer release's are none of its business.
        """
        wanted = codec.EVENTS.keys() if types is None else types
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_queries.read_control, after, page)
        found = [
            Recorded(
                position,
                Stream(category, key),
                version,
                codec.decode(kind, schema_v, data),
                event_id,
                at,
                codec.decode_meta(meta),
            )
            for position, category, key, version, kind, schema_v, event_id, data, meta, at in rows
            if kind in wanted
        ]
        return found, rows[-1]["position"] if rows else after

    async def read_raw(
        self,
        after: int,
        limit: int,
        stream: Stream | None = None,
        type: str | None = None,  # noqa: A002
    ) -> list[RawRecorded]:
        """Rows as stored, of any version: the control lane after a position, or one stream of either lane."""
        async with self._database.acquire() as connection:
            if stream is None:
                rows = await connection.fetch(_queries.read_raw, after, limit, type)
                return [_raw(row, f"{row['category']}-{row['key']}") for row in rows]
            place = await connection.fetchrow(_queries.stream, stream.category, stream.key)
            if place is None:
                return []
            if stream.category == run.log_stream("").category:
                rows = await connection.fetch(
                    _queries.read_raw_log_stream,
                    after,
                    limit,
                    type,
                    place["stream_id"],
                    place["last_position"],
                )
            else:
                rows = await connection.fetch(
                    _queries.read_raw_control_stream, after, limit, type, place["stream_id"]
                )
            return [_raw(row, str(stream)) for row in rows]

    async def read_chunks(self, run: str, from_line: int, limit: int) -> list[StoredChunk]:
        """Chunks of a run's log, in order, from the one that holds `from_line` on; at most `limit`."""
        async with self._database.acquire() as connection:
            place = await connection.fetchrow(_queries.stream, "log", run)
            if place is None or place["version"] < from_line:
                return []
            rows = await connection.fetch(
                _queries.read_chunks,
                place["stream_id"],
                place["last_position"],
                from_line,
                limit,
            )
        chunks: list[StoredChunk] = []
        for position, last_line, data, payload in rows:
            head = codec.decode_document(data)
            chunks.append(StoredChunk(position, head.pop("first"), last_line, head, payload))
        return chunks

    async def last_line(self, run: str) -> int:
        """The number of the last line of a run's log; 0 when there is none."""
        async with self._database.acquire() as connection:
            place = await connection.fetchrow(_queries.stream, "log", run)
        return place["version"] if place else 0

    async def head(self) -> int:
        """The last committed position: no event at or below it will ever appear later."""
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_queries.head, 0)
        return max(row["control"], row["log"]) if row else 0


def _raw(row: Any, stream: str) -> RawRecorded:
    return RawRecorded(
        row["position"],
        row["type"],
        stream,
        row["version"],
        row["recorded_at"],
        codec.decode_document(row["data"]),
        codec.decode_document(row["meta"]),
    )
