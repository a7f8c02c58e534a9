"""The format of a chunk: some of a run's lines, compressed, and what it takes to go on after them.

Payload, before compression (zstd 1): one byte a line saying which stream it is from and whether its
newline is the script's (`o e`) or not (`O E`), a newline, the lines' times as 64-bit little-endian
milliseconds after the first, then every line's bytes followed by a newline. The text stands by itself
so that search and download never split it into lines.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import Any, Literal, TypeAlias

import msgspec
import zstandard

from events.errors import Damaged

CODEC = "lines-zstd-1"
OUT, OUT_PART, ERR, ERR_PART = b"oOeE"

LogStream: TypeAlias = Literal["stdout", "stderr"]

_STREAM: dict[int, LogStream] = {OUT: "stdout", OUT_PART: "stdout", ERR: "stderr", ERR_PART: "stderr"}
_KINDS: dict[LogStream | None, bytes] = {None: b"oOeE", "stdout": b"oO", "stderr": b"eE"}
_NEWLINE = {OUT: True, OUT_PART: False, ERR: True, ERR_PART: False}
_MILLISECOND = 1_000_000

_compress = zstandard.ZstdCompressor(level=1).compress
_decompress = zstandard.ZstdDecompressor().decompress


class ChunkHead(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a chunk without opening it; stored as the chunk event's data."""

    attempt: int
    bytes: int
    """Of this chunk's lines, as the script wrote them."""
    total: int
    """Bytes of the run's whole log, up to and with this chunk."""
    at: int
    """The first line's time, milliseconds since 1970 by the engine's clock."""
    out: tuple[int, int]
    """How far stdout is taken: the latest time seen, nanoseconds, and the pieces since it was reached."""
    err: tuple[int, int]
    since: int
    """The time to ask the engine from to go on after this chunk, nanoseconds, inclusive."""
    sha256: str
    """Of the stored payload."""
    codec: str = CODEC


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a run's log."""

    number: int
    """From 1 through the whole run, across its attempts, without a gap."""
    stream: LogStream
    at: int
    """Milliseconds since 1970 by the engine's clock."""
    text: bytes
    """As written, without the newline."""
    newline: bool
    """False for a part of a longer line that had to be cut, and for a last line that was never ended."""


@dataclasses.dataclass(slots=True)
class Draft:
    """Lines on their way into a chunk, as three columns."""

    kinds: bytearray = dataclasses.field(default_factory=bytearray)
    times: list[int] = dataclasses.field(default_factory=list)
    """Nanoseconds since 1970."""
    texts: list[bytes] = dataclasses.field(default_factory=list)
    """Each followed by a newline, the script's or ours."""
    size: int = 0

    def add(self, kind: int, at: int, text: bytes) -> None:
        """Take one line, `text` with its newline."""
        self.kinds.append(kind)
        self.times.append(at)
        self.texts.append(text)
        self.size += len(text)

    def at(self) -> int:
        """The first line's time, milliseconds since 1970."""
        return self.times[0] // _MILLISECOND

    def bytes_written(self) -> int:
        """Bytes as the script wrote them."""
        return self.size - self.kinds.count(OUT_PART) - self.kinds.count(ERR_PART)


class Content(msgspec.Struct, frozen=True):
    """A chunk, opened."""

    kinds: bytes
    at: int
    offsets: bytes
    text: bytes
    """Every line followed by a newline."""

    def lines(self, first_line: int) -> list[Line]:
        """All lines, numbered from `first_line`."""
        texts = self.text.split(b"\n")
        del texts[-1]
        count = len(self.kinds)
        numbers = range(first_line, first_line + count)
        times = [self.at + offset for offset in struct.unpack(f"<{count}q", self.offsets)]
        streams = map(_STREAM.__getitem__, self.kinds)
        newlines = map(_NEWLINE.__getitem__, self.kinds)
        return list(map(Line, numbers, streams, times, texts, newlines))

    def raw(self, stream: LogStream | None = None) -> bytes:
        """The bytes the script wrote, of one stream or of both in order."""
        wanted = _KINDS[stream]
        whole_kinds = wanted.lower()
        if not self.kinds.translate(None, whole_kinds):
            return self.text
        rows = zip(self.kinds, self.text.split(b"\n"), strict=False)
        return b"".join(text + b"\n" if _NEWLINE[kind] else text for kind, text in rows if kind in wanted)

    def slice(self, start: int, stop: int) -> Content:
        """The lines from one place to another, counted from 0."""
        if start <= 0 and stop >= len(self.kinds):
            return self
        start = max(start, 0)
        texts = self.text.split(b"\n")[start : min(stop, len(self.kinds))]
        return Content(
            self.kinds[start:stop],
            self.at,
            self.offsets[8 * start : 8 * stop],
            b"".join(text + b"\n" for text in texts),
        )

    def has(self, stream: LogStream) -> bool:
        """Whether any line is from this stream."""
        return any(kind in self.kinds for kind in _KINDS[stream])

    def is_of(self, stream: LogStream, place: int) -> bool:
        """Whether the line at a place, counted from 0, is from this stream."""
        return self.kinds[place] in _KINDS[stream]


def encode(draft: Draft) -> bytes:
    """The payload of a chunk of these lines."""
    count = len(draft.kinds)
    text = b"".join(draft.texts)
    if text.count(b"\n") != count:
        raise ValueError("a line with a newline inside cannot be numbered")
    at = draft.at()
    offsets = struct.pack(f"<{count}q", *[time // _MILLISECOND - at for time in draft.times])
    return _compress(b"".join((draft.kinds, b"\n", offsets, text)))


def digest(payload: bytes) -> str:
    """What the head says of its payload, to notice any change."""
    return hashlib.sha256(payload).hexdigest()


def read_head(data: dict[str, Any]) -> ChunkHead:
    """A head as the log keeps it. Raises Damaged."""
    try:
        head = msgspec.convert(data, ChunkHead)
    except msgspec.ValidationError as problem:
        raise Damaged(f"a chunk's head cannot be read: {problem}") from problem
    if head.codec != CODEC:
        raise Damaged(f"a chunk is written as {head.codec!r}, which this release does not know")
    return head


def opened(head: dict[str, Any], payload: bytes) -> Content:
    """A chunk's content, verified. Raises Damaged."""
    known = read_head(head)
    if digest(payload) != known.sha256:
        raise Damaged("a chunk's bytes are not the ones that were stored")
    plain = _decompress(payload)
    count = plain.index(b"\n")
    text_from = count + 1 + 8 * count
    return Content(plain[:count], known.at, plain[count + 1 : text_from], plain[text_from:])


def decode(first_line: int, head: dict[str, Any], payload: bytes) -> list[Line]:
    """A stored chunk's lines. Raises Damaged."""
    return opened(head, payload).lines(first_line)
