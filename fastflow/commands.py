"""The door to every decision: know the state, decide, append; somebody faster means deciding again."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from events.base import Event, Metadata, Recorded, Stream
from events.errors import Rejected, VersionConflict
from events.store import EventStore, Fence
from fastflow.domain.decider import Decider

CONFLICTS_MAX = 3
STREAMS_REMEMBERED_MAX = 1024

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    version: int
    position: int
    state: Any
    """The state of the one decider that this stream belongs to."""


class Commands:
    """Carries commands to deciders and their events to the log.

    It remembers what it last knew of a stream and decides on that: the log refuses the events if it was old.
    Only a refusal or "already so" is never believed without reading on.
    """

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._streams: OrderedDict[Stream, _Known] = OrderedDict()

    async def handle(
        self,
        decider: Decider[C, S, E],
        stream: Stream,
        command: C,
        *,
        meta: Metadata | None = None,
        event_ids: Sequence[UUID] | None = None,
        fence: Fence | None = None,
    ) -> int:
        """Position of the stream's last event after this.

        Raises Rejected; VersionConflict when others were faster three times; LeaseLost, Unavailable.
        """
        envelope = _Envelope(meta or Metadata(), event_ids, fence)
        for _ in range(CONFLICTS_MAX - 1):
            with suppress(VersionConflict):
                return await self._attempt(decider, stream, command, envelope)
            await self._read_on(decider, stream)
        return await self._attempt(decider, stream, command, envelope)

    async def state(self, decider: Decider[C, S, E], stream: Stream) -> S:
        """The state after everything in the log."""
        known: S = (await self._read_on(decider, stream)).state
        return known

    async def recall(self, decider: Decider[C, S, E], stream: Stream) -> S:
        """The state as last known here; reads only when nothing is known."""
        known: S = (self._streams.get(stream) or await self._read_on(decider, stream)).state
        return known

    def hear(self, decider: Decider[C, S, E], recorded: Recorded[Event]) -> None:
        """Take in an event read elsewhere, if it is the next one of its stream: that saves a reading."""
        known = self._recall(decider, recorded.stream)
        if recorded.version == known.version + 1:
            event: Any = recorded.event
            state = decider.evolve(known.state, event)
            self._remember(recorded.stream, _Known(recorded.version, recorded.position, state))

    async def _attempt(
        self, decider: Decider[C, S, E], stream: Stream, command: C, envelope: _Envelope
    ) -> int:
        known = self._recall(decider, stream)
        if not _leads_somewhere(decider, command, known):
            known = await self._read_on(decider, stream)
        events = decider.decide(command, known.state)
        if not events:
            return known.position
        appended = await self.store.append(
            stream,
            events,
            expected=known.version,
            meta=envelope.meta,
            event_ids=envelope.event_ids,
            fence=envelope.fence,
        )
        if not appended.duplicate:
            state = decider.fold(events, known.state)
            self._remember(stream, _Known(appended.version, appended.position, state))
        return appended.position

    def _recall(self, decider: Decider[C, S, E], stream: Stream) -> _Known:
        return self._streams.get(stream) or _Known(0, 0, decider.initial)

    async def _read_on(self, decider: Decider[C, S, E], stream: Stream) -> _Known:
        known = self._recall(decider, stream)
        news = await self.store.read_stream(stream, after_version=known.version)
        if news:
            events: list[Any] = [recorded.event for recorded in news]
            state = decider.fold(events, known.state)
            known = _Known(news[-1].version, news[-1].position, state)
        self._remember(stream, known)
        return known

    def _remember(self, stream: Stream, known: _Known) -> None:
        before = self._streams.get(stream)
        if before is None or before.version < known.version:
            self._streams[stream] = known
        self._streams.move_to_end(stream)
        if len(self._streams) > STREAMS_REMEMBERED_MAX:
            self._streams.popitem(last=False)


@dataclasses.dataclass(frozen=True, slots=True)
class _Envelope:
    meta: Metadata
    event_ids: Sequence[UUID] | None
    fence: Fence | None


def _leads_somewhere(decider: Decider[C, S, E], command: C, known: _Known) -> bool:
    try:
        return bool(decider.decide(command, known.state))
    except Rejected:
        return False
