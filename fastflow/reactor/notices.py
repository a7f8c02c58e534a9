"""What others tell a run's supervisor while it waits: stop, look, and that the container has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from events.signal import Signal, came


class Notices:
    """Set by the worker and the supervisor's own tasks; each notice wakes whoever waits for any."""

    def __init__(self) -> None:
        self.stop_ordered = False
        self.ended = asyncio.Event()
        """The container has ended or is gone: whoever does something about it comes to an end."""
        self._hinted = asyncio.Event()
        self._any = Signal()

    def begin(self) -> None:
        """A container is watched from now on."""
        self.ended = asyncio.Event()

    def order_stop(self) -> None:
        """The log holds an order to stop this run."""
        self.stop_ordered = True
        self._any.give()

    def end(self) -> None:
        """The container has ended."""
        self.ended.set()
        self._any.give()

    def hint(self) -> None:
        """Something may have happened to the container."""
        self._hinted.set()

    async def hinted(self) -> None:
        """Wait for a hint, and take it."""
        await self._hinted.wait()
        self._hinted.clear()

    async def stop_or_end(self, seconds: float | None) -> bool:
        """Whether an order to stop or the end came in time; None waits for ever."""
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        while True:
            news = self._any.next()
            if self.stop_ordered or self.ended.is_set():
                return True
            if deadline is None:
                await news.wait()
            elif not await came(news, deadline - loop.time()):
                return False


async def unless_stopped(notices: Notices, waiting: Coroutine[Any, Any, object]) -> bool:
    """Wait for something, but not beyond an order to stop; whether there was one.

    Raises what the waiting raises; what was waited for in vain is cancelled.
    """
    task = asyncio.create_task(waiting)
    stop = asyncio.create_task(notices.stop_or_end(None))
    try:
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return True
        await task
        return False
    finally:
        for waited in (task, stop):
            waited.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)
