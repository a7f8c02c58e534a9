"""One task per lane and process that carries all concurrent appends into the database, many in one statement.

Whoever asks waits for an answer, not for the statement: cancelling the asker never cancels the statement.
When the connection is lost in mid-statement the same batch is sent again; the log recognises what it has.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, assert_never

import structlog

import sql
from events.errors import DatabaseAway, LeaseLost, OutcomeUnknown, StorageFull, Unavailable, VersionConflict
from events.partitions import add_missing
from events.requests import REQUESTS_MAX, Appended, Lane, R, Request
from events.signal import came
from sql.database import Connection, Database
from sql.faults import Fault, fault

PATIENCE_SECONDS = 10.0
"""How long a request of an impatient lane waits for a database that is away."""
STATEMENT_SECONDS_MAX = 10.0
DRAIN_SECONDS_MAX = 5.0
STOPPING = "Fast-Flow is stopping; nothing was stored."
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.05, 1.0
PROBE_EVERY_SECONDS = 1.0

_log = structlog.get_logger()
_partition_queries = sql.load("partitions")


class Appender(Generic[R]):
    """Takes requests from everybody, sends them in order, and gives each its answer."""

    def __init__(self, database: Database, lane: Lane[R], announce: Callable[[int], None]) -> None:
        self._database = database
        self._lane = lane
        self._announce = announce
        self._queue: deque[R] = deque()
        self._batch: list[R] = []
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._room = asyncio.Semaphore(lane.waiting_max)
        self._connection: Connection | None = None
        self._fetch: Any = None
        self._away_since: float | None = None
        self._closed = False
        self._singly = 0
        """So many requests are sent alone, because together they failed."""

    async def append(self, request: R) -> Appended:
        """Wait for the request's answer; raises VersionConflict, LeaseLost, DatabaseAway, StorageFull."""
        if self._closed or self._is_hopeless():
            # whoever tries again at once must not keep everybody else from running
            await asyncio.sleep(0)
            raise DatabaseAway(STOPPING) if self._closed else DatabaseAway
        async with self._room:
            if self._closed:
                raise DatabaseAway(STOPPING)
            self._queue.append(request)
            self._arrived.set()
            return await request.answer

    def _is_hopeless(self) -> bool:
        """Whether a request would only wait to learn what is known already."""
        if self._lane.patient or self._away_since is None:
            return False
        return time.monotonic() > self._away_since + PATIENCE_SECONDS

    async def run(self) -> None:
        """Carry requests until cancelled."""
        try:
            while True:
                self._batch = self._lane.take(self._queue, 1 if self._singly else REQUESTS_MAX)
                self._singly = max(0, self._singly - len(self._batch))
                if self._batch:
                    await self._store()
                else:
                    await self._idle()
        finally:
            self._closed = True
            self._disconnect()
            for request in (*self._batch, *self._queue):
                _refuse(request, DatabaseAway(STOPPING))

    async def drain(self) -> None:
        """Refuse new requests and wait, not for ever, until the present ones have their answers."""
        self._closed = True
        self._arrived.set()
        if not await came(self._drained, DRAIN_SECONDS_MAX):
            left = len(self._batch) + len(self._queue)
            _log.warning("appender.not_drained", lane=self._lane.name, requests=left)

    async def _idle(self) -> None:
        self._singly = 0
        self._arrived.clear()
        if self._closed:
            self._drained.set()
        if await came(self._arrived, PROBE_EVERY_SECONDS):
            return
        if self._away_since is not None or self._database.outage is not None:
            await self._probe()

    async def _probe(self) -> None:
        """Nobody asks for anything, so find out whether the outage is over."""
        try:
            connection = await self._connected()
            self._away_since = None
            with self._database.translating(connection):
                await connection.execute(_partition_queries.probe_storage)
        except Unavailable as error:
            _log.info("appender.outage_goes_on", lane=self._lane.name, reason=str(error))
        except Exception as error:  # noqa: BLE001  a failed look must not end the appender
            _log.warning("appender.probe_failed", lane=self._lane.name, exc_info=error)
        else:
            self._database.stored()

    async def _store(self) -> None:
        """Send the batch until every request in it has its answer."""
        pause = PAUSE_SECONDS_MIN
        while self._batch:
            try:
                await self._connected()
                rows = await self._fetch(*self._lane.arguments(self._batch), timeout=STATEMENT_SECONDS_MAX)
            except Unavailable as error:
                # it was not even sent
                self._lose_patience(error)
            except Exception as error:  # noqa: BLE001
                await self._take_failure(error)
            else:
                self._away_since = None
                self._database.stored()
                self._answer(rows)
                return
            if self._batch:
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await self._database.connect(
                synchronous_commit=self._lane.synchronous_commit,
                application_name=f"fastflow append {self._lane.name}",
            )
            with self._database.translating(connection):
                self._fetch = (await connection.prepare(self._lane.statement)).fetch
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _take_failure(self, error: Exception) -> None:
        """Decide what becomes of the batch; what stays in it is sent again."""
        failure = self._database.failure(error, self._connection)
        match fault(error, self._connection):
            case Fault.AWAY:
                for request in self._batch:
                    request.maybe_stored = True
                self._disconnect()
                self._lose_patience(failure or DatabaseAway())
            case Fault.BUSY:
                self._lose_patience(failure or DatabaseAway())
            case Fault.FULL:
                _log.warning("appender.storage_full", lane=self._lane.name, requests=len(self._batch))
                if not self._lane.patient:
                    self._refuse_batch(failure or StorageFull())
            case Fault.NO_PARTITION:
                await self._add_partition()
            case None if len(self._batch) > 1:
                # one of them is to blame: the others must not suffer
                self._singly = len(self._batch)
                self._queue.extendleft(reversed(self._batch))
                self._batch = []
            case None:
                _log.error("appender.request_failed", lane=self._lane.name, exc_info=error)
                self._disconnect()
                self._refuse_batch(error)
            case _ as never:
                assert_never(never)

    async def _add_partition(self) -> None:
        """The loop that keeps partitions ahead has fallen behind."""
        _log.warning("appender.partition_missing")
        try:
            connection = await self._connected()
            with self._database.translating(connection):
                await add_missing(connection)
        except Unavailable as error:
            _log.warning("appender.partition_not_added", reason=str(error))

    def _lose_patience(self, error: Exception) -> None:
        """Refuse those who waited too long for a database that is away."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        if self._lane.patient:
            return
        for waiting in (self._batch, self._queue):
            for request in waiting:
                if now > request.asked_at + PATIENCE_SECONDS:
                    _refuse(request, error)
        self._batch = [request for request in self._batch if not request.answer.done()]

    def _refuse_batch(self, error: Exception) -> None:
        for request in self._batch:
            _refuse(request, error)
        self._batch = []

    def _answer(self, rows: Sequence[Any]) -> None:
        batch, self._batch = self._batch, []
        reached = 0
        for place, status, position, version in rows:
            request = batch[place - 1]
            answer = request.answer
            match status:
                case "appended" | "duplicate":
                    reached = max(reached, position)
                    if not answer.done():
                        answer.set_result(Appended(position, version, status == "duplicate"))
                case "fenced":
                    _refuse(request, LeaseLost())
                case _:
                    _refuse(request, VersionConflict(request.conflict(version)))
        if reached:
            self._announce(reached)


def _refuse(request: Request, error: Exception) -> None:
    if request.answer.done():
        return
    if request.maybe_stored and isinstance(error, Unavailable):
        error = OutcomeUnknown()
    # one instance each: raising adds to an exception's traceback
    request.answer.set_exception(copy.copy(error))
