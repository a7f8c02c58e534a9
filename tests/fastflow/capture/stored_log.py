"""What is in the log of a run, checked for gaps while it is read."""

from __future__ import annotations

from events.chunk import Line, decode
from events.store import EventStore


async def stored_lines(store: EventStore, run: str) -> list[Line]:
    """Every line, from the chunks as they are stored."""
    lines: list[Line] = []
    while chunks := await store.read_chunks(run, len(lines) + 1, 100):
        for chunk in chunks:
            assert chunk.first_line == len(lines) + 1
            lines += decode(chunk.first_line, chunk.head, chunk.payload)
            assert chunk.last_line == len(lines)
    return lines


def texts(lines: list[Line], stream: str) -> list[bytes]:
    """What one stream says, in order."""
    return [line.text for line in lines if line.stream == stream]
