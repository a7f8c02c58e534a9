"""The right to do one kind of work, held by one process at a time.

The epoch rises with every new holder, and an append fenced with an older epoch is refused: a holder that was
frozen or cut off cannot write any more. Only the database's clock counts; the holder itself stops trusting
the lease a little before it can end.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from types import TracebackType
from typing import Self

import structlog

import sql
from events.background import Background
from events.errors import Unavailable
from events.requests import Fence
from events.signal import came
from sql.database import Connection, Database

CHANNEL = "fastflow_lease"
MARGIN_SECONDS = 2.0
"""The holder trusts the lease for its time less this, counted from before the renewal was sent."""
ASK_EVERY_SECONDS = 0.5
RETRY_SECONDS = 0.1
RELEASE_SECONDS_MAX = 2.0

_log = structlog.get_logger()
_queries = sql.load("lease")


class Lease:
    """`async with` waits until the lease is held, renews it, and gives it back.

    When it was lost, `lost` is set and stays set: end the work and ask for a new one.
    """

    def __init__(self, database: Database, name: str, owner: str, ttl_seconds: float = 10) -> None:
        self.name = name
        self.owner = owner
        self.lost = asyncio.Event()
        self.epoch = 0
        self._database = database
        self._ttl = dt.timedelta(seconds=ttl_seconds)
        self._renew_every = ttl_seconds / 3
        self._trust_seconds = ttl_seconds - min(MARGIN_SECONDS, ttl_seconds / 5)
        self._trusted_until = 0.0
        self._connection: Connection | None = None
        self._session_ended = asyncio.Event()
        self._released = asyncio.Event()
        self._background = Background()

    @property
    def fence(self) -> Fence:
        """What an append must carry to be refused once somebody else holds the lease."""
        return Fence(self.name, self.epoch)

    async def __aenter__(self) -> Self:
        """Wait until nobody else holds the lease; a database that is away is waited for."""
        try:
            while not await self._take():
                pass
        except BaseException:
            self._disconnect()
            raise
        _log.info("lease.taken", lease=self.name, owner=self.owner, epoch=self.epoch)
        await self._background.begin(renew=self._renew())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lease back, so that the next holder need not wait."""
        try:
            await self._background.end(error)
        finally:
            await self._release()
            self._disconnect()

    async def _take(self) -> bool:
        """Whether the lease is ours; otherwise the connection broke."""
        try:
            connection = await self._connected()
            with self._database.translating(connection):
                await self._ask(connection)
        except Unavailable as error:
            await self._pause(error)
            return False
        return True

    async def _ask(self, connection: Connection) -> None:
        """Return when the lease is ours."""
        await connection.add_listener(CHANNEL, self._on_release)
        holder_gone = False
        while True:
            self._released.clear()
            before = time.monotonic()
            rows = await connection.fetch(_queries.take, self.name, self.owner, self._ttl, holder_gone)
            epoch, holder_gone = rows[0]
            if epoch is not None:
                self.epoch = epoch
                self._trusted_until = before + self._trust_seconds
                await connection.remove_listener(CHANNEL, self._on_release)
                return
            # a session that ended just now may be on its way back; at the next look it is not
            await came(self._released, ASK_EVERY_SECONDS)

    async def _renew(self) -> None:
        while not self.lost.is_set():
            await came(self._session_ended, self._renew_every)
            await self._renew_once()
            if time.monotonic() > self._trusted_until:
                self._lose("expired")

    async def _renew_once(self) -> None:
        before = time.monotonic()
        try:
            with self._database.translating(self._connection):
                async with asyncio.timeout(max(RETRY_SECONDS, self._trusted_until - before)):
                    connection = await self._connected()
                    epoch = await connection.fetchval(_queries.renew, self.name, self.epoch, self._ttl)
        except Unavailable as error:
            await self._pause(error)
            return
        if epoch is None:
            self._lose("taken over")
        else:
            self._trusted_until = before + self._trust_seconds

    def _lose(self, reason: str) -> None:
        if not self.lost.is_set():
            _log.warning("lease.lost", lease=self.name, owner=self.owner, epoch=self.epoch, reason=reason)
            self.lost.set()

    async def _release(self) -> None:
        if self._connection is None or self._connection.is_closed() or self.lost.is_set():
            return
        try:
            with self._database.translating(self._connection):
                async with asyncio.timeout(RELEASE_SECONDS_MAX):
                    await self._connection.fetchval(_queries.release, self.name, self.epoch)
        except Unavailable as error:
            _log.warning("lease.not_released", lease=self.name, reason=str(error))

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect(application_name=f"fastflow lease {self.name}")
            self._session_ended = ended = asyncio.Event()
            self._connection.add_termination_listener(lambda _: ended.set())
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _on_release(self, _: object, __: int, ___: str, name: object) -> None:
        if name == self.name:
            self._released.set()

    async def _pause(self, error: Unavailable) -> None:
        _log.warning("lease.retrying", lease=self.name, reason=str(error))
        self._disconnect()
        await asyncio.sleep(RETRY_SECONDS)
