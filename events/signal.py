"""A condition without a lock: whoever waits at the moment it is given goes on."""

from __future__ import annotations

import asyncio


class Signal:
    """Says that something changed; what, the waiter looks up itself."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def give(self) -> None:
        """Let everybody who waits now go on."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    def next(self) -> asyncio.Event:
        """The next giving; taken before a look that must not miss it."""
        return self._event


async def came(event: asyncio.Event, timeout_seconds: float) -> bool:
    """Whether an event is set in time."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
