"""Lets a chatty script say much while we repeat little: the newest counts, and the last is never left out."""

from __future__ import annotations

import dataclasses
from typing import Generic, TypeVar

INTERVAL_SECONDS = 0.5

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Pace(Generic[T]):
    """At most one item in `INTERVAL_SECONDS`; of those that come faster, the newest waits for its turn.

    Every method takes the time in seconds and returns the pace to go on with. When nothing more will come,
    `waiting` is the last item not let through yet.
    """

    next_at: float = float("-inf")
    waiting: T | None = None

    def offer(self, item: T, now: float) -> tuple[Pace[T], T | None]:
        """Let an item through now, or keep it waiting in place of an older one."""
        if now >= self.next_at:
            return Pace(now + INTERVAL_SECONDS), item
        return Pace(self.next_at, item), None

    def release(self, now: float) -> tuple[Pace[T], T | None]:
        """Let the waiting item through if its time has come."""
        if self.waiting is None or now < self.next_at:
            return self, None
        return Pace(now + INTERVAL_SECONDS), self.waiting

    def due_at(self) -> float | None:
        """When to call `release`; None while nothing waits."""
        return None if self.waiting is None else self.next_at
