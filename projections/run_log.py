"""What did a run print? Answers from the stored chunks; nothing is kept beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from events.base import Event, Recorded, Stream
from events.chunk import Content, Line, LogStream, opened
from events.errors import Invalid
from events.store import StoredChunk

CHUNKS_A_READ = 16
"""Few enough that even chunks of one endless line each fit into memory many times."""
PAGE_LINES_MAX = 10_000
PAGE_BYTES_MAX = 8 << 20
QUERY_LENGTH_MAX = 200
HITS_MAX = 1_000


class LogStore(Protocol):
    """The part of the event store that answers from logs."""

    async def last_line(self, run: str) -> int:
        """The number of the log's last line; 0 when there is none."""

    async def read_chunks(self, run: str, from_line: int, limit: int) -> list[StoredChunk]:
        """Chunks in order, from the one that holds a line on."""

    async def read_stream(self, stream: Stream, after_version: int = 0) -> list[Recorded[Event]]:
        """Events of one control stream after a version."""


class ImpossibleSearch(Invalid):
    """A search needs between 1 and 200 characters on one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a log, in order."""

    lines: list[Line]
    next_line: int
    """The line to ask for next; what lies before it was given, or left out by the choice of stream."""
    last_line: int
    """Of the log as it was when asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hits:
    """Where a text occurs in a log."""

    total: int
    """Lines that hold the text."""
    lines: list[Line]
    """The first of them, at most as many as asked for."""


async def lines(
    store: LogStore, run: str, from_line: int, count: int, stream: LogStream | None = None
) -> LogPage:
    """At most `count` lines (and 10,000, and 8 MiB) from a number on, of one stream or of both."""
    count = min(count, PAGE_LINES_MAX)
    last_line = await store.last_line(run)
    found: list[Line] = []
    next_line, size = max(from_line, 1), 0
    async for first_line, content in contents(store, run, next_line, last_line):
        if stream is None or content.has(stream):
            for line in content.lines(first_line):
                if len(found) >= count or size > PAGE_BYTES_MAX:
                    return LogPage(found, next_line, last_line)
                next_line = line.number + 1
                if stream is None or line.stream == stream:
                    found.append(line)
                    size += len(line.text)
        next_line = first_line + len(content.kinds)
    return LogPage(found, next_line, last_line)


async def raw(
    store: LogStore,
    run: str,
    stream: LogStream | None = None,
    *,
    from_line: int = 1,
    count: int | None = None,
) -> AsyncGenerator[bytes]:
    """The bytes as the script wrote them, both streams in order, up to the last line of this moment."""
    last_line = await store.last_line(run)
    if count is not None:
        last_line = min(last_line, from_line + count - 1)
    async for _, content in contents(store, run, max(from_line, 1), last_line):
        if written := content.raw(stream):
            yield written


async def search(
    store: LogStore,
    run: str,
    query: str,
    *,
    from_line: int = 1,
    stream: LogStream | None = None,
    limit: int = HITS_MAX,
) -> Hits:
    """Lines that hold a text, in whatever case. Raises ImpossibleSearch."""
    total = 0
    found: list[Line] = []
    async for first_line, content, places in _hits(store, run, query, from_line, stream):
        total += len(places)
        if len(found) < limit:
            numbered = content.lines(first_line)
            found += [numbered[place] for place in places[: limit - len(found)]]
    return Hits(total, found)


async def matching(
    store: LogStore, run: str, query: str, *, from_line: int = 1, stream: LogStream | None = None
) -> AsyncGenerator[list[Line]]:
    """All lines that hold a text, as they are found, in batches. Raises ImpossibleSearch."""
    async for first_line, content, places in _hits(store, run, query, from_line, stream):
        numbered = content.lines(first_line)
        yield [numbered[place] for place in places]


async def contents(
    store: LogStore, run: str, from_line: int, last_line: int
) -> AsyncIterator[tuple[int, Content]]:
    """The opened chunks with the lines from one number to another, each with its first line's number."""
    while from_line <= last_line:
        chunks = await store.read_chunks(run, from_line, CHUNKS_A_READ)
        for chunk in chunks:
            content = opened(chunk.head, chunk.payload)
            start = from_line - chunk.first_line
            yield from_line, content.slice(start, last_line + 1 - chunk.first_line)
            from_line = chunk.last_line + 1
            if from_line > last_line:
                return
        if not chunks:
            return


async def _hits(
    store: LogStore, run: str, query: str, from_line: int, stream: LogStream | None
) -> AsyncIterator[tuple[int, Content, Sequence[int]]]:
    """The chunks that hold a text, each with its first line's number and the places of the lines."""
    if not 0 < len(query) <= QUERY_LENGTH_MAX or "\n" in query:
        raise ImpossibleSearch
    async for first_line, content in contents(store, run, max(from_line, 1), await store.last_line(run)):
        places = _places(content, query)
        if stream is not None:
            places = [place for place in places if content.is_of(stream, place)]
        if places:
            yield first_line, content, places


def _places(content: Content, query: str) -> Sequence[int]:
    """The lines of a chunk that hold the text; the chunk is only split when it is in there at all."""
    if query.isascii():
        needle, text = query.lower().encode(), content.text.lower()
        return (
            [place for place, row in enumerate(text.split(b"\n")) if needle in row] if needle in text else ()
        )
    wanted, plain = query.casefold(), content.text.decode("utf-8", "replace").casefold()
    return [place for place, row in enumerate(plain.split("\n")) if wanted in row] if wanted in plain else ()
