"""Reads the control lane on, event by event, for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog

from events.base import Event, Recorded
from events.errors import Unavailable
from events.store import EventStore
from events.wake import Wake

RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.05, 2.0

_log = structlog.get_logger()


class Follower:
    """Batches of events after a position; an outage of the database is waited out.

    `position` is how far the log was read, over events of other types too; a batch is empty when only such
    events happened, so that a checkpoint can follow.
    """

    def __init__(
        self, store: EventStore, wake: Wake, after: int, types: frozenset[str] | None = None, page: int = 1000
    ) -> None:
        self.position = after
        self._store = store
        self._wake = wake
        self._types = types
        self._page = page

    async def __aiter__(self) -> AsyncIterator[list[Recorded[Event]]]:
        """Batches in the order of the log; raises UnknownEvent at one this release cannot read."""
        pause = RETRY_SECONDS_MIN
        while True:
            try:
                batch, reached = await self._store.read_window(self.position, self._page, self._types)
            except Unavailable as error:
                _log.warning("follower.waiting", position=self.position, reason=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS_MAX)
                continue
            pause = RETRY_SECONDS_MIN
            if reached > self.position:
                self.position = reached
                yield batch
            else:
                await self._wake.beyond_control(self.position)
