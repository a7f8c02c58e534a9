"""What does the log itself say? The timeline of a run, and the replay of everything that happened."""

from __future__ import annotations

from typing import Protocol

import msgspec

from events import run as runs
from events.base import Event, RawRecorded, Recorded, Stream
from events.run import Progressed

EVENTS_MAX = 1000


class Log(Protocol):
    """What `events.store.EventStore` can tell."""

    async def read_stream(self, stream: Stream, after_version: int = 0) -> list[Recorded[Event]]:
        """All events of one control stream after a version."""

    async def read_raw(
        self,
        after: int,
        limit: int,
        stream: Stream | None = None,
        type: str | None = None,  # noqa: A002
    ) -> list[RawRecorded]:
        """Rows as stored, of any version."""


class EventPage(msgspec.Struct, frozen=True):
    """Some events as they are stored, and where to ask for more."""

    events: tuple[RawRecorded, ...]
    next: int
    """The position to ask after next time, also when there was nothing new."""


async def timeline(log: Log, run: str) -> tuple[Recorded[Event], ...]:
    """What happened to a run, oldest first; of reports of progress in a row only the last.

    Raises UnknownEvent, DatabaseAway.
    """
    moments: list[Recorded[Event]] = []
    for recorded in await log.read_stream(runs.stream(run)):
        if moments and isinstance(recorded.event, Progressed) and isinstance(moments[-1].event, Progressed):
            moments.pop()
        moments.append(recorded)
    return tuple(moments)


async def events(
    log: Log,
    after: int = 0,
    *,
    stream: Stream | None = None,
    type: str | None = None,  # noqa: A002  the name in the address
    limit: int = 100,
) -> EventPage:
    """Events after a position, oldest first: all, or those of one stream or type; at most EVENTS_MAX.

    Raises DatabaseAway.
    """
    found = await log.read_raw(after, max(1, min(limit, EVENTS_MAX)), stream, type)
    return EventPage(tuple(found), found[-1].position if found else after)
