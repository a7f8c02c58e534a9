"""Waiting for what no signal tells: asked again and again; the test's own deadline ends it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

ASK_EVERY_SECONDS = 0.002


async def until(condition: Callable[[], object | Awaitable[object]]) -> None:
    """Return when the condition holds."""
    while True:
        holds = condition()
        if await holds if inspect.isawaitable(holds) else holds:
            return
        await asyncio.sleep(ASK_EVERY_SECONDS)
