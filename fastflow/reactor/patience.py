"""How long the worker waits for what: in one place, so that tests can be quick."""

from __future__ import annotations

import asyncio
import dataclasses
import random


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, and how often."""

    retry_seconds_first: float = 0.2
    retry_seconds_max: float = 10.0
    tries_max: int = 5
    """Unexpected failures of one step in a row before its run is given up."""
    look_seconds: float = 30.0
    """Between two looks whether the engine is there and has the image."""
    image_look_seconds: float = 2.0
    """The same while the image is missing."""
    reconcile_seconds: float = 30.0
    orphan_seconds: float = 300.0
    """How long a container of an unknown run is left alone: its run may not be written down yet."""
    hint_seconds: float = 1.0
    """Between a hint about a container and a look at it: mostly its exit is known by then."""
    kill_again_seconds: float = 5.0
    silence_seconds_max: float = 2.0
    """A followed log may stay silent this long after its container's exit before it is given up."""
    restart_seconds: float = 5.0
    """An exit by a signal this close to an outage is the engine's doing."""
    detach_seconds: float = 5.0
    """For storing what was taken when the program stops."""
    checkpoint_seconds: float = 10.0
    lease_seconds: int = 10


class Backoff:
    """Longer and longer pauses, a little random so that not everybody comes back at once."""

    def __init__(self, patience: Patience) -> None:
        self._first = patience.retry_seconds_first
        self._max = patience.retry_seconds_max
        self._next = self._first

    def reset(self) -> None:
        """It went well: the next pause is a short one again."""
        self._next = self._first

    async def pause(self) -> None:
        """Wait, longer each time."""
        seconds, self._next = self._next, min(self._next * 2, self._max)
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret in a pause
