"""What is handed to an appender, and how many of them become the arguments of one statement."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import sql

REQUESTS_MAX = 500
BYTES_MAX = 4 << 20
"""In one statement."""

_queries = sql.load("event_log")


@dataclasses.dataclass(frozen=True, slots=True)
class Fence:
    """Proof of holding a lease: an append with an older epoch than the lease's is refused."""

    lease: str
    epoch: int


@dataclasses.dataclass(frozen=True, slots=True)
class Appended:
    """Where the last event of an append lies."""

    position: int
    version: int
    duplicate: bool
    """It was there already: the same ids were appended before."""


@dataclasses.dataclass(slots=True, eq=False)
class Request:
    """One append, waiting for its turn."""

    stream: tuple[str, str]
    fence: Fence | None
    size_bytes: int
    answer: asyncio.Future[Appended] = dataclasses.field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), kw_only=True
    )
    asked_at: float = dataclasses.field(default_factory=time.monotonic, kw_only=True)
    maybe_stored: bool = dataclasses.field(default=False, kw_only=True)
    """It was sent, and no answer came."""

    def conflict(self, version: int) -> str:
        """What to say when the stream is at another version than the request needs."""
        return f"{self.stream[0]}-{self.stream[1]} is at version {version}."


@dataclasses.dataclass(slots=True, eq=False)
class ControlRequest(Request):
    """Events of one control stream, to be appended together."""

    expected: int | None
    meta: str
    events: Sequence[tuple[str, int, uuid.UUID, str]]
    """(type, schema_v, id, data)."""


@dataclasses.dataclass(slots=True, eq=False)
class ChunkRequest(Request):
    """One chunk of a log."""

    first_line: int
    last_line: int
    head: str
    payload: bytes


R = TypeVar("R", bound=Request)


class Lane(Protocol[R]):
    """What differs between the appenders of the two lanes."""

    name: str
    statement: str
    synchronous_commit: str | None
    waiting_max: int
    """More requests than these wait to wait."""
    patient: bool
    """Waits out every outage instead of failing its requests."""

    def take(self, queue: deque[R], requests_max: int) -> list[R]:
        """Remove from the queue what goes into the next statement, in order."""

    def arguments(self, batch: Sequence[R]) -> tuple[Any, ...]:
        """The statement's arguments."""


class ControlLane:
    """Requests for different streams go together; a stream's second request waits for the first's answer."""

    name = "control"
    statement = _queries.append
    synchronous_commit: str | None = None
    waiting_max = 10_000
    patient = False

    def take(self, queue: deque[ControlRequest], requests_max: int) -> list[ControlRequest]:
        """Remove from the queue what goes into the next statement, in order."""
        batch: list[ControlRequest] = []
        held: list[ControlRequest] = []
        streams: set[tuple[str, str]] = set()
        room = BYTES_MAX
        while queue and len(batch) < requests_max and room > 0:
            request = queue.popleft()
            if request.answer.done():
                continue
            if request.stream in streams:
                held.append(request)
                continue
            streams.add(request.stream)
            batch.append(request)
            room -= request.size_bytes
        queue.extendleft(reversed(held))
        return batch

    def arguments(self, batch: Sequence[ControlRequest]) -> tuple[Any, ...]:
        """The statement's arguments."""
        events = [(place, *event) for place, request in enumerate(batch, 1) for event in request.events]
        places, types, versions, ids, datas = zip(*events, strict=True)
        return (
            [request.stream[0] for request in batch],
            [request.stream[1] for request in batch],
            [request.expected for request in batch],
            [request.meta for request in batch],
            *_fences(batch),
            places,
            types,
            versions,
            ids,
            datas,
        )


class LogLane:
    """Chunks of all logs go together, also several of one log, in order."""

    name = "log"
    statement = _queries.append_log
    synchronous_commit: str | None = "off"
    waiting_max = 1_000
    patient = True

    def take(self, queue: deque[ChunkRequest], requests_max: int) -> list[ChunkRequest]:
        """Remove from the queue what goes into the next statement, in order."""
        batch: list[ChunkRequest] = []
        room = BYTES_MAX
        while queue and len(batch) < requests_max and room > 0:
            request = queue.popleft()
            if not request.answer.done():
                batch.append(request)
                room -= request.size_bytes
        return batch

    def arguments(self, batch: Sequence[ChunkRequest]) -> tuple[Any, ...]:
        """The statement's arguments."""
        return (
            [request.stream[1] for request in batch],
            [request.first_line for request in batch],
            [request.last_line for request in batch],
            [request.head for request in batch],
            [request.payload for request in batch],
            *_fences(batch),
        )


def _fences(batch: Sequence[Request]) -> tuple[list[str | None], list[int | None]]:
    return (
        [request.fence.lease if request.fence else None for request in batch],
        [request.fence.epoch if request.fence else None for request in batch],
    )
