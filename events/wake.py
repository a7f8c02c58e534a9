"""Tells followers and pages that there is something new: a hint that may be late, never the only way to know.

Three layers: a local signal after each local commit; a NOTIFY to the other processes, sent apart from the
append (inside it, it would make every commit wait) and at most every 10 ms; a look at the log every second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import structlog

import sql
from events.background import Background
from events.errors import DatabaseAway, Unavailable
from events.signal import Signal, came
from sql.database import Connection, Database

HEAD_CHANNEL = "fastflow_head"
STALE_CHANNEL = "fastflow_stale"
EVERYTHING = "*"
"""The topic said after messages may have been missed: whatever is shown may be stale."""

POLL_SECONDS = 1.0
NOTIFY_INTERVAL_SECONDS = 0.010
ECHO_EVERY_SECONDS = 5.0
ECHO_SECONDS_MAX = 2.0
ANSWER_SECONDS_MAX = 2.0
RECONNECT_SECONDS_MIN, RECONNECT_SECONDS_MAX = 0.05, 1.0
PAYLOAD_BYTES_MAX = 7900
TOPICS_PENDING_MAX = 10_000

_log = structlog.get_logger()
_log_queries = sql.load("event_log")
_wake_queries = sql.load("wake")


class Wake:
    """Knows how far the log reaches and who wants to hear of it."""

    def __init__(self, database: Database) -> None:
        self.control = 0
        """The last position of the control lane known to be committed."""
        self.head = 0
        """The same of both lanes."""
        self._database = database
        self._log_head = 0
        self._moved = Signal()
        self.listening = asyncio.Event()
        """Set while other processes are heard."""
        self.went_stale = Signal()
        """Given whenever anything goes stale."""
        self._callbacks: list[Callable[[frozenset[str]], None]] = []
        self._to_send = asyncio.Event()
        self._head_sent = 0
        self._topics: set[str] = set()
        self._lost = False
        self._own_pid = 0
        self._echo_asked, self._echo_missing = 0.0, False
        self._background = Background()

    async def __aenter__(self) -> Self:
        """Begin to listen; a database that is away is waited for in the background."""
        await self._background.begin(wake=self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self._background.end(error)

    async def beyond(self, position: int, timeout: float = POLL_SECONDS) -> int:  # noqa: ASYNC109
        """Wait until the log reaches beyond a position; the known head, also when the time is over."""
        deadline = time.monotonic() + timeout
        while self.head <= position and await came(self._moved.next(), deadline - time.monotonic()):
            pass
        return self.head

    async def beyond_control(self, position: int, timeout: float = POLL_SECONDS) -> int:  # noqa: ASYNC109
        """The same for the control lane alone, undisturbed by what scripts print."""
        deadline = time.monotonic() + timeout
        while self.control <= position and await came(self._moved.next(), deadline - time.monotonic()):
            pass
        return self.control

    def announce(self, position: int) -> None:
        """Say that the control lane was committed up to a position."""
        if position > self.control:
            self._see(position, self._log_head)
            self._to_send.set()

    def announce_log(self, position: int) -> None:
        """Say that the log lane was committed up to a position."""
        if position > self._log_head:
            self._see(self.control, position)
            self._to_send.set()

    def say_stale(self, topics: Iterable[str]) -> None:
        """Say that what is shown under these topics changed, here and in every other process."""
        said = frozenset(topics)
        if not said:
            return
        self._topics |= said
        if len(self._topics) > TOPICS_PENDING_MAX:
            self._topics = {EVERYTHING}
        self._to_send.set()
        self._tell(said)

    def on_stale(self, callback: Callable[[frozenset[str]], None]) -> None:
        """Have a function called, quickly, with topics that went stale in any process."""
        self._callbacks.append(callback)

    def _see(self, control: int, log: int) -> None:
        if control > self.control or log > self._log_head:
            self.control = max(control, self.control)
            self._log_head = max(log, self._log_head)
            self.head = max(self.control, self._log_head)
            self._moved.give()

    def _tell(self, topics: frozenset[str]) -> None:
        self.went_stale.give()
        for callback in self._callbacks:
            callback(topics)

    async def _run(self) -> None:
        pause = RECONNECT_SECONDS_MIN
        while True:
            connection: Connection | None = None
            try:
                connection = await self._database.connect(
                    synchronous_commit="off", application_name="fastflow wake"
                )
                with self._database.translating(connection):
                    await self._listen(connection)
                    pause = RECONNECT_SECONDS_MIN
                    self.listening.set()
                    # what was said meanwhile was not heard
                    self._tell(frozenset({EVERYTHING}))
                    await self._serve(connection)
            except Unavailable as error:
                _log.warning("wake.reconnecting", reason=str(error))
            finally:
                self.listening.clear()
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECONNECT_SECONDS_MAX)

    async def _listen(self, connection: Connection) -> None:
        self._own_pid = connection.get_server_pid()
        self._lost = False
        self._echo_asked, self._echo_missing = 0.0, False
        # a server that crashed may have lost its last lines, and gives their positions to others
        self.control = self._log_head = self.head = self._head_sent = 0
        connection.add_termination_listener(self._on_termination)
        await connection.add_listener(HEAD_CHANNEL, self._on_head)
        await connection.add_listener(STALE_CHANNEL, self._on_stale)

    async def _serve(self, connection: Connection) -> None:
        next_poll = 0.0
        while not self._lost:
            now = time.monotonic()
            if now >= next_poll:
                await self._poll(connection, now)
                next_poll = now + POLL_SECONDS
            await self._send(connection)
            if await came(self._to_send, next_poll - time.monotonic()):
                await asyncio.sleep(NOTIFY_INTERVAL_SECONDS)
        raise DatabaseAway("The listening connection was closed.")

    async def _poll(self, connection: Connection, now: float) -> None:
        if self._echo_missing and now > self._echo_asked + ECHO_SECONDS_MAX:
            raise DatabaseAway("The database does not echo notifications; LISTEN needs a direct connection.")
        rows = await connection.fetch(_log_queries.head, self._log_head, timeout=ANSWER_SECONDS_MAX)
        self._see(rows[0]["control"], rows[0]["log"])
        self._database.answered()
        if now > self._echo_asked + ECHO_EVERY_SECONDS:
            self._echo_asked, self._echo_missing = now, True
            await self._notify(connection, HEAD_CHANNEL, "")

    async def _send(self, connection: Connection) -> None:
        self._to_send.clear()
        head = self.head
        if head > self._head_sent:
            await self._notify(connection, HEAD_CHANNEL, f"{self.control} {self._log_head}")
            self._head_sent = head
        topics, self._topics = self._topics, set()
        try:
            for payload in _payloads(topics):
                await self._notify(connection, STALE_CHANNEL, payload)
        except BaseException:
            self._topics |= topics
            raise

    async def _notify(self, connection: Connection, channel: str, payload: str) -> None:
        await connection.execute(_wake_queries.notify, channel, payload, timeout=ANSWER_SECONDS_MAX)

    def _on_termination(self, _: Any) -> None:
        self._lost = True
        self._to_send.set()

    def _on_head(self, _: Any, pid: int, __: str, payload: object) -> None:
        if pid == self._own_pid:
            self._echo_missing = False
        elif payload:
            control, _space, log = str(payload).partition(" ")
            self._see(int(control), int(log))

    def _on_stale(self, _: Any, pid: int, __: str, payload: object) -> None:
        if pid != self._own_pid:
            self._tell(frozenset(str(payload).split("\n")))


def _payloads(topics: Iterable[str]) -> Iterator[str]:
    """Topics joined by newlines into as few messages as the size of a NOTIFY allows."""
    line: list[str] = []
    size = 0
    for topic in sorted(topics):
        room = len(topic.encode()) + 1
        if room > PAYLOAD_BYTES_MAX:
            continue
        if size + room > PAYLOAD_BYTES_MAX:
            yield "\n".join(line)
            line, size = [], 0
        line.append(topic)
        size += room
    if line:
        yield "\n".join(line)
