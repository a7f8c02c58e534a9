"""Tasks that live as long as their owner's `async with` block; when one crashes, the block ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """A task group for owners that are context managers themselves; the block's error stays what it is."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, **works: Coroutine[Any, Any, None]) -> None:
        """Start each work as a task of that name."""
        await self._group.__aenter__()
        self._tasks = [self._group.create_task(work, name=name) for name, work in works.items()]

    async def end(self, error: BaseException | None) -> None:
        """Cancel the tasks, wait for them, and raise what crashed."""
        for task in self._tasks:
            task.cancel()
        # a task group would wrap the block's error in a group of its own
        if isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(type(error), error, None)
        else:
            await self._group.__aexit__(None, None, None)
