"""A model of what the engine keeps of two streams and gives to each new connection."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Sequence

from events.chunk import ERR, ERR_PART, OUT, OUT_PART
from fastflow.capture import lines
from fastflow.engine import STDERR, STDOUT, Piece

KINDS = {STDOUT: (OUT_PART, OUT), STDERR: (ERR_PART, ERR)}


@dataclasses.dataclass(frozen=True)
class Write:
    """The script writes to a stream, some time after its last write."""

    stream: int
    data: bytes
    after: int = 1


def engine_log(writes: Iterable[Write], piece_bytes: int = lines.PIECE_BYTES) -> list[Piece]:
    """The pieces the engine makes of these writes, all parts of a line with the first part's time."""
    kept: list[Piece] = []
    buffers = {STDOUT: b"", STDERR: b""}
    begun = {STDOUT: 0, STDERR: 0}
    now = 1_000

    def keep(stream: int, text: bytes) -> None:
        begun[stream] = begun[stream] or now
        kept.append((stream, begun[stream], text))
        if text.endswith(b"\n") or len(text) < piece_bytes:
            begun[stream] = 0

    for write in writes:
        now += write.after
        data = write.data
        while data:
            room = piece_bytes - len(buffers[write.stream])
            buffer, data = buffers[write.stream] + data[:room], data[room:]
            *whole, rest = buffer.split(b"\n")
            for text in whole:
                keep(write.stream, text + b"\n")
            if not whole and len(buffer) == piece_bytes:
                keep(write.stream, buffer)
                rest = b""
            buffers[write.stream] = rest
    for stream, rest in buffers.items():
        if rest:
            keep(stream, rest)
    return kept


def connection(log: Sequence[Piece], since: int) -> list[Piece]:
    """What a connection that asks from a time on would be given."""
    return [piece for piece in log if piece[1] >= since]


def expected(writes: Iterable[Write], stream: int, part_bytes: int) -> list[tuple[int, bytes]]:
    """The lines of one stream that must come out, as (kind, text)."""
    part, whole = KINDS[stream]
    written = b"".join(write.data for write in writes if write.stream == stream)
    *ended, last = written.split(b"\n")
    found: list[tuple[int, bytes]] = []
    for text, kind in (*((text, whole) for text in ended), *([(last, part)] if last else [])):
        cuts = range(part_bytes, len(text), part_bytes)
        found += [(part, text[cut - part_bytes : cut] + b"\n") for cut in cuts]
        found.append((kind, text[len(cuts) * part_bytes :] + b"\n"))
    return found


def printed(count: int, seed: int = 0) -> list[Piece]:
    """A log of many short lines, a few long ones, on both streams, some at the same time."""
    dice = random.Random(seed)  # noqa: S311
    pieces: list[Piece] = []
    now = 1_760_000_000_000_000_000
    for number in range(count):
        now += dice.choice([0, 900, 4_000, 70_000])
        stream = STDERR if dice.random() < 0.2 else STDOUT
        if dice.random() < 0.002:
            pieces += [
                (stream, now, b"%08d" % number + b"x" * (lines.PIECE_BYTES - 8)),
                (stream, now, b"end\n"),
            ]
        else:
            pieces.append((stream, now, b"line %08d %s\n" % (number, b"." * dice.randrange(150))))
    return pieces


def lines_of(pieces: list[Piece], stream: int) -> list[bytes]:
    """The lines of one stream, all ended."""
    return b"".join(text for piece_stream, _, text in pieces if piece_stream == stream).split(b"\n")[:-1]
