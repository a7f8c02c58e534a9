"""How many lines a page is sent: what comes faster is said to be skipped, and the newest are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

from events.chunk import Line

BURST_SECONDS = 5
"""A page may be sent this many seconds' worth at once, so that a short log comes whole."""
BYTES_A_LINE = 16_384
"""A longer line counts as several."""


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """Lines that exist and were not sent; the page loads them when somebody looks."""

    first: int
    last: int


Sending: TypeAlias = Sequence[Line] | Skipped


class Pacer:
    """Takes lines as they are written, gives what a page is sent now. Times come from outside."""

    def __init__(self, lines_a_second: int, now: float) -> None:
        self._rate = lines_a_second
        self._tokens = float(lines_a_second * BURST_SECONDS)
        self._at = now
        self._first_skipped: int | None = None
        self._held: list[Line] = []

    @property
    def holds(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._held)

    def take(self, lines: Sequence[Line]) -> None:
        """Hold lines that go on from those taken before; the oldest beyond a second's worth are skipped."""
        if not self._held and self._first_skipped is None:
            room = max(self._rate, int(self._tokens))
        else:
            room = self._rate
        self._held += lines
        if len(self._held) > room:
            self._skip(len(self._held) - room)

    def due(self, now: float) -> list[Sending]:
        """What may be sent at this time, in order."""
        self._tokens = min(self._rate * BURST_SECONDS, self._tokens + (now - self._at) * self._rate)
        self._at = now
        count = self._affordable()
        return self._sent(count) if count else []

    def rest(self) -> list[Sending]:
        """What is held, whatever it costs: the end of a log is always seen."""
        return self._sent(len(self._held))

    def _affordable(self) -> int:
        left, count = self._tokens, 0
        for line in reversed(self._held):
            left -= self._cost(line)
            if left < 0:
                break
            count += 1
        return count

    def _skip(self, count: int) -> None:
        if self._first_skipped is None:
            self._first_skipped = self._held[0].number
        del self._held[:count]

    def _sent(self, count: int) -> list[Sending]:
        if not self._held:
            return []
        if count < len(self._held):
            self._skip(len(self._held) - count)
        sending: list[Sending] = []
        if self._first_skipped is not None:
            sending.append(Skipped(self._first_skipped, self._held[0].number - 1))
        self._tokens = max(0.0, self._tokens - sum(map(self._cost, self._held)))
        sending.append(self._held)
        self._held, self._first_skipped = [], None
        return sending

    def _cost(self, line: Line) -> int:
        return min(1 + len(line.text) // BYTES_A_LINE, self._rate * BURST_SECONDS)
