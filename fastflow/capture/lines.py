"""Pieces as the engine gives them become whole lines, each once: joined, cut when endless, never repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from events.chunk import ERR, ERR_PART, OUT, OUT_PART
from fastflow.engine import STDERR, STDOUT, Piece

PIECE_BYTES = 16 * 1024
PART_BYTES_MAX = 1 << 20
SILENT_STREAM_NANOSECONDS = 60 * 10**9
CLOCK_STEP_NANOSECONDS = 2 * 10**9

Cursor: TypeAlias = tuple[int, int]
"""(latest time seen on a stream, pieces taken since that time was first seen)."""

Found: TypeAlias = tuple[int, int, bytes]
"""(kind as in `events.chunk`, nanoseconds, text with a newline: the script's own, or ours after a part)."""

NOTHING: Cursor = (0, 0)
NEWLINE = ord("\n")


class Lines:
    """The lines of one container's two streams, whatever the connection they arrive on.

    Cursors cover exactly the lines given out so far: when a line is given out, everything before it and it
    itself are covered, and no piece of an unfinished line is. They are per stream because the engine
    promises no order between streams.
    """

    def __init__(self, out: Cursor = NOTHING, err: Cursor = NOTHING, since: int = 0) -> None:
        self._out = _Source(OUT, OUT_PART, out)
        self._err = _Source(ERR, ERR_PART, err)
        self._sources = {STDOUT: self._out, STDERR: self._err}
        self._asked = since
        self._latest = 0
        self._catch_up()

    def take(self, pieces: Iterable[Piece]) -> Iterator[Found]:
        """The lines these pieces complete; ask for the next line only when done with the last."""
        for stream, at, text in pieces:
            source = self._sources[stream]
            self._latest = at
            if source.special or not text or text[-1] != NEWLINE:
                yield from source.take(at, text)
                continue
            if at > source.time:
                source.time = source.lowest = at
                source.taken = 1
            else:
                source.repeat(at)
            yield source.whole, at, text

    def finish(self) -> Iterator[Found]:
        """The lines never ended, now that no more pieces will come."""
        yield from self._out.finish()
        yield from self._err.finish()

    def cursors(self) -> tuple[Cursor, Cursor]:
        """How far stdout and stderr are given out."""
        return (self._out.time, self._out.taken), (self._err.time, self._err.taken)

    def since(self) -> int:
        """The time to ask the engine from (nanoseconds, inclusive) to be given everything not given out yet.

        A stream silent for long does not pull it back: its next piece is newer than the other stream's last
        ones. An unfinished line does, because the engine stamps all its pieces with the time of the first.
        """
        if self._out.catching_up or self._err.catching_up:
            return self._asked
        times = (self._out.time, self._err.time)
        since = max(min(times), self._latest - SILENT_STREAM_NANOSECONDS)
        return max(0, min(since, self._out.needed_from(since), self._err.needed_from(since)))

    def rewind(self) -> int:
        """A new connection is about to give pieces from the returned time on, some a second time."""
        self._asked = self.since()
        self._catch_up()
        return self._asked

    def _catch_up(self) -> None:
        self._out.catch_up(self._asked)
        self._err.catch_up(self._asked)


class _Source:
    """One stream: its cursor, its unfinished line, and how much of it is coming a second time.

    `special` is set while a piece may be anything but one whole new line.
    """

    __slots__ = (
        "_part",
        "_parts",
        "_seen",
        "_size",
        "_started",
        "_times",
        "catching_up",
        "lowest",
        "special",
        "taken",
        "time",
        "whole",
    )

    def __init__(self, whole: int, part: int, cursor: Cursor) -> None:
        self.whole = whole
        self._part = part
        self.time, self.taken = cursor
        self.lowest = self.time

    def catch_up(self, since: int) -> None:
        """Forget the unfinished line and expect pieces from `since` on, again."""
        self._seen = 0
        self.catching_up = self.time > 0 and since <= self.time
        self._begin_line(0)

    def needed_from(self, since: int) -> int:
        """The earliest time this stream still needs pieces from, at most `since`."""
        stepped_back = self.lowest - CLOCK_STEP_NANOSECONDS if self.lowest < self.time else since
        return min(since, stepped_back, self._started or since)

    def repeat(self, at: int) -> None:
        """Move the cursor over a piece that is not newer than the newest."""
        self.taken += 1
        self.lowest = min(self.lowest, at)

    def take(self, at: int, text: bytes) -> Iterator[Found]:
        """The lines one piece completes, whatever state the stream is in."""
        if self.catching_up and self._was_taken(at, text):
            return
        ended = text[-1:] == b"\n"
        body = text[:-1] if ended else text
        if self._size + len(body) > PART_BYTES_MAX:
            yield self._line(self._part)
        self._keep(at, body)
        if ended:
            yield self._line(self.whole)
        elif len(text) < PIECE_BYTES:
            yield self._line(self._part)

    def finish(self) -> Iterator[Found]:
        """The unfinished line, if any."""
        if self._times:
            yield self._line(self._part)

    def _was_taken(self, at: int, text: bytes) -> bool:
        """Whether this piece was given out before; ends the catching up when it is the last such one."""
        if at > self.time:
            self.catching_up = False
            return False
        if at == self.time or self._seen:
            self._seen += 1
            self.lowest = min(self.lowest, at)
            self.catching_up = self._seen < self.taken
        goes_on = len(text) >= PIECE_BYTES and text[-1:] != b"\n"
        self._begin_line((self._started or at) if goes_on else 0)
        return True

    def _begin_line(self, started: int) -> None:
        self._parts: list[bytes] = []
        self._times: list[int] = []
        self._size = 0
        self._started = started
        self.special = self.catching_up or started > 0

    def _keep(self, at: int, body: bytes) -> None:
        self._parts.append(body)
        self._times.append(at)
        self._size += len(body)
        self._started = self._started or at
        self.special = True

    def _line(self, kind: int) -> Found:
        """The line kept so far; from here on the cursor covers it."""
        for at in self._times:
            if at > self.time:
                self.time = self.lowest = at
                self.taken = 1
            else:
                self.repeat(at)
        found = (kind, self._times[0], b"".join((*self._parts, b"\n")))
        self._begin_line(0)
        return found
