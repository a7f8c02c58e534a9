"""Long looks at files in small pieces, so that the event loop is never held for long."""

from __future__ import annotations

import asyncio
import time

HELD_SECONDS_MAX = 0.005


class Pause:
    """Awaited between two small pieces of work: lets others go on when it is time."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def __call__(self) -> None:
        """Give way when this task has held the loop for too long."""
        if time.perf_counter() - self._since < HELD_SECONDS_MAX:
            return
        await asyncio.sleep(0)
        self._since = time.perf_counter()
