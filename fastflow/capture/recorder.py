"""One attempt's output on its way into the log: numbered, in chunks, each line once, with bounded memory."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

import msgspec

from events.chunk import ERR, OUT, ChunkHead, Draft, digest, encode, read_head
from events.errors import VersionConflict
from events.store import EventStore, Fence
from fastflow.capture.lines import Cursor, Lines
from fastflow.engine import Piece

CHUNK_BYTES = 32 * 1024
WAITING_BYTES_MAX = 4 << 20
FLUSH_SECONDS = 0.05
MARK = b"::"
COLON = MARK[0]

OnLine = Callable[[bytes], None]


@dataclasses.dataclass(frozen=True, slots=True)
class _Chunk:
    """Lines to be stored together, and where the container's output goes on after them."""

    draft: Draft
    last_line: int
    total: int
    cursors: tuple[Cursor, Cursor]
    since: int


class Recorder:
    """Stores what one attempt's container prints. Made by `resume`, given up by `aclose`.

    While the database is away the chunks wait in it and, when they are many, `take` waits. Any other
    failure is final: `take`, `flush` and `finish` raise it, and a new recorder goes on from what is stored.
    """

    def __init__(
        self, store: EventStore, run: str, attempt: int, fence: Fence | None, on_line: OnLine | None
    ) -> None:
        self.lines = 0
        """Lines of the whole run stored so far."""
        self.bytes = 0
        """Bytes of those lines, as the script wrote them."""
        self._store = store
        self._run = run
        self._attempt = attempt
        self._fence = fence
        self._on_line = on_line
        self._source = Lines()
        self._draft = Draft()
        self._drafted_lines = 0
        self._drafted_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = float("-inf")
        self._storing: set[asyncio.Task[None]] = set()
        self._waiting_bytes = 0
        self._moved = asyncio.Event()
        self._failure: Exception | None = None

    @classmethod
    async def resume(
        cls,
        store: EventStore,
        run: str,
        attempt: int,
        fence: Fence | None = None,
        on_line: OnLine | None = None,
    ) -> Recorder:
        """A recorder that goes on after the run's last stored line.

        `on_line` is given each line of stdout that starts with `::`, before it is stored: after a crash it
        may be given some for a second time, but none is left out.
        """
        recorder = cls(store, run, attempt, fence, on_line)
        last_line = await store.last_line(run)
        for chunk in await store.read_chunks(run, last_line, 1) if last_line else ():
            recorder._go_on_after(chunk.last_line, read_head(chunk.head))
        return recorder

    @property
    def since(self) -> int:
        """Where to ask the engine from, nanoseconds: read it right before opening each connection.

        From then on the pieces that an earlier connection gave are recognised and dropped.
        """
        return self._source.rewind()

    async def take(self, pieces: Sequence[Piece]) -> None:
        """Take in pieces in the engine's order; waits while too much is waiting to be stored."""
        draft = self._draft
        for kind, at, text in self._source.take(pieces):
            draft.add(kind, at, text)
            if text[0] == COLON and kind == OUT and self._on_line is not None and text.startswith(MARK):
                self._on_line(text[:-1])
            if draft.size >= CHUNK_BYTES:
                self._send()
                draft = self._draft
        self._send_soon()
        await self._stored_down_to(WAITING_BYTES_MAX)

    async def note(self, at: int, text: bytes) -> None:
        """Put lines of Fast-Flow's own into the log, as stderr; `at` in nanoseconds.

        They do not count as taken from the container: noting the same again stores it again.
        """
        for line in text.removesuffix(b"\n").split(b"\n"):
            self._draft.add(ERR, at, line + b"\n")
        self._send_soon()
        await self._stored_down_to(WAITING_BYTES_MAX)

    async def flush(self) -> None:
        """Return when every line taken is committed."""
        self._send()
        await self._stored_down_to(0)

    async def finish(self) -> None:
        """Take the container's output as complete: end unterminated lines, and make all of it durable.

        Raises VersionConflict when a database that crashed meanwhile has forgotten the latest lines.
        """
        for kind, at, text in self._source.finish():
            self._draft.add(kind, at, text)
        await self.flush()
        if await self._store.settle_log(self._run) != self.lines:
            raise VersionConflict

    async def aclose(self) -> None:
        """Store nothing more; the engine gives what was not stored to the next recorder.

        Chunks already handed to the store may still be committed.
        """
        self._failure = self._failure or RuntimeError("this recorder is closed")
        self._draft = Draft()
        self._send()
        for task in self._storing:
            task.cancel()
        if self._storing:
            await asyncio.wait(self._storing)

    def _go_on_after(self, last_line: int, head: ChunkHead) -> None:
        self.lines = self._drafted_lines = last_line
        self.bytes = self._drafted_bytes = head.total
        if head.attempt == self._attempt:
            self._source = Lines(head.out, head.err, head.since)

    def _send_soon(self) -> None:
        """At once after a silence, so that a first line is seen at once; else in a moment, with others."""
        if self._timer is not None or not self._draft.kinds:
            return
        loop = asyncio.get_running_loop()
        due = self._sent_at + FLUSH_SECONDS
        if due <= loop.time():
            self._send()
        else:
            self._timer = loop.call_at(due, self._send)

    def _send(self) -> None:
        """Let the lines drafted so far become a chunk on its way to the store."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        draft = self._draft
        if not draft.kinds:
            return
        self._draft = Draft()
        self._drafted_lines += len(draft.kinds)
        self._drafted_bytes += draft.bytes_written()
        chunk = _Chunk(
            draft, self._drafted_lines, self._drafted_bytes, self._source.cursors(), self._source.since()
        )
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        self._waiting_bytes += draft.size
        self._storing.add(loop.create_task(self._store_chunk(chunk)))

    async def _store_chunk(self, chunk: _Chunk) -> None:
        try:
            if self._failure is None:
                await self._append(chunk)
                self.lines, self.bytes = chunk.last_line, chunk.total
        except Exception as failure:  # noqa: BLE001 - whoever takes, flushes or finishes next is told
            self._failure = self._failure or failure
        finally:
            self._waiting_bytes -= chunk.draft.size
            self._storing.discard(asyncio.current_task())
            self._moved.set()

    async def _append(self, chunk: _Chunk) -> None:
        draft = chunk.draft
        payload = encode(draft)
        out, err = chunk.cursors
        head = ChunkHead(
            attempt=self._attempt,
            bytes=draft.bytes_written(),
            total=chunk.total,
            at=draft.at(),
            out=out,
            err=err,
            since=chunk.since,
            sha256=digest(payload),
        )
        await self._store.append_chunk(
            self._run,
            chunk.last_line - len(draft.kinds) + 1,
            chunk.last_line,
            msgspec.to_builtins(head),
            payload,
            fence=self._fence,
        )

    async def _stored_down_to(self, bytes_max: int) -> None:
        """Return when at most so many bytes wait to be stored; raises what ended the storing."""
        while self._failure is None and self._waiting_bytes > bytes_max:
            self._moved.clear()
            await self._moved.wait()
        if self._failure is not None:
            raise self._failure
