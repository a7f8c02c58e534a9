"""The engine's log stream: frames of bytes, cut anywhere, become pieces of lines with their times.

A frame is an 8-byte header (stream, three zeros, size) and a payload that starts with a time of 30 fixed
bytes and a space. A frame is not a line: a line over 16 KiB comes in several, each with the first one's time.
"""

from __future__ import annotations

import datetime as dt
import struct

from fastflow.engine import STDERR, STDOUT, EngineRefused, Piece

PIECE_BYTES = 16_384
HEADER_BYTES = 8
TIME_BYTES = 31
"""`2026-11-22T02:18:24.341307879Z` and the space after it."""
PAYLOAD_BYTES_MAX = 1 << 20
"""No driver writes more than one piece in a frame; more is not a log stream."""
PRINTED = frozenset({STDOUT, STDERR})
ENGINE_ERROR = 3
ZULU = ord("Z")

_header = struct.Struct(">BxxxL").unpack_from


class LogDamaged(EngineRefused):
    """The engine cannot read its own log of this container."""


class Frames:
    """Reads one stream of frames; `feed` gives the pieces each block of bytes completes."""

    def __init__(self, *, newline_forgotten: bool) -> None:
        """`newline_forgotten`: the `local` driver before engine 23 leaves it out after a line over 16 KiB.

        It is put back here. Such an engine also gives no sign whether a script's very last line, if it is
        that long, had one; it gets one too.
        """
        self._newline_forgotten = newline_forgotten
        self._rest = b""
        self._second = b""
        self._second_nanoseconds = 0
        self._unfinished: set[int] = set()

    def feed(self, block: bytes) -> list[Piece]:
        """The pieces now complete, in order. Raises LogDamaged."""
        data = self._rest + block if self._rest else block
        pieces: list[Piece] = []
        at, end = 0, len(data)
        try:
            while end - at >= HEADER_BYTES:
                stream, size = _header(data, at)
                start = at + HEADER_BYTES
                following = start + size
                if stream not in PRINTED or size < TIME_BYTES or size > PAYLOAD_BYTES_MAX:
                    raise LogDamaged(_complaint(stream, data[start:following]))
                if following > end:
                    break
                text = data[start + TIME_BYTES : following]
                if data[start + 29] == ZULU:
                    if data[start : start + 19] != self._second:
                        self._begin(data[start : start + 19])
                    nanoseconds = self._second_nanoseconds + int(data[start + 20 : start + 29])
                else:
                    nanoseconds, text = _elsewhere(data[start:following])
                if self._unfinished or size >= PIECE_BYTES:
                    text = self._joined(stream, text)
                pieces.append((stream, nanoseconds, text))
                at = following
        except ValueError:
            raise LogDamaged("the engine sent a line without a time") from None
        self._rest = data[at:]
        return pieces

    def _begin(self, second: bytes) -> None:
        self._second_nanoseconds = _moment(second + b"Z")
        self._second = second

    def _joined(self, stream: int, text: bytes) -> bytes:
        """A piece of a long line: remember that it goes on, or give its end the newline it lost."""
        if len(text) >= PIECE_BYTES and not text.endswith(b"\n"):
            self._unfinished.add(stream)
        elif stream in self._unfinished:
            self._unfinished.discard(stream)
            if self._newline_forgotten and not text.endswith(b"\n"):
                return text + b"\n"
        return text


def _elsewhere(payload: bytes) -> tuple[int, bytes]:
    """A time with an offset, from an engine whose clock is not set to UTC."""
    written, _, text = payload.partition(b" ")
    second, _, rest = written.partition(b".")
    return _moment(second + rest[9:]) + int(rest[:9]), text


def _moment(written: bytes) -> int:
    return int(dt.datetime.fromisoformat(written.decode("ascii")).timestamp()) * 1_000_000_000


def _complaint(stream: int, payload: bytes) -> str:
    if stream == ENGINE_ERROR:
        return payload[:500].decode(errors="replace").strip()
    return "the engine sent something that is not a log"
