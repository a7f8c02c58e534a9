"""What a pre-heat container prints, as lines fit to show: no colours, no passwords, no end of them."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable

from fastflow.engine import STDERR, STDOUT, Piece
from fastflow.engine.trust import without_password

LINES_MAX = 200
LINE_CHARACTERS_MAX = 2_000

_escapes = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


class Output:
    """Takes the pieces of a log that may be read twice, shows each line once, remembers the last ones."""

    def __init__(self, on_line: Callable[[bytes], None] | None) -> None:
        self._on_line = on_line
        self._last: dict[int, deque[str]] = {STDOUT: deque(maxlen=LINES_MAX), STDERR: deque(maxlen=LINES_MAX)}
        self._part: dict[int, bytes] = {}
        self._taken: Counter[int] = Counter()
        self._again: Counter[int] = Counter()

    def take(self, pieces: Iterable[Piece]) -> None:
        """The next pieces, in the engine's order per stream."""
        for stream, _, text in pieces:
            if self._again[stream]:
                self._again[stream] -= 1
                continue
            self._taken[stream] += 1
            part = self._part.pop(stream, b"") + text
            if text.endswith(b"\n"):
                self._show(stream, part)
            else:
                self._part[stream] = part[:LINE_CHARACTERS_MAX]

    def again(self) -> None:
        """The log is read from its beginning once more."""
        self._again = self._taken.copy()

    def finish(self) -> None:
        """There is no more."""
        for stream, part in self._part.items():
            self._show(stream, part)
        self._part.clear()

    def lines(self, stream: int) -> list[str]:
        """The last lines of one stream."""
        return list(self._last[stream])

    def _show(self, stream: int, line: bytes) -> None:
        plain = _escapes.sub("", line.decode(errors="replace")).rstrip("\r\n")[:LINE_CHARACTERS_MAX]
        safe = without_password(plain).replace("\x00", "\N{REPLACEMENT CHARACTER}")
        self._last[stream].append(safe)
        if self._on_line is not None:
            self._on_line(safe.encode(errors="replace"))
