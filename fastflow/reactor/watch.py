"""Knows whether the container engine answers and has the worker image; an outage says nothing about a run."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from events.errors import Unavailable
from events.signal import Signal, came
from events.system import EngineConnected, EngineLost
from fastflow.engine import Engine, EngineAway, EngineInfo, EngineRefused
from fastflow.reactor.patience import Backoff, Patience

OUTAGES_REMEMBERED_MAX = 64
SKEW_SECONDS_MAX = 2.0

_log = structlog.get_logger()

Word: TypeAlias = EngineConnected | EngineLost


@dataclasses.dataclass(slots=True)
class Outage:
    """A time in which the engine did not answer."""

    since: dt.datetime
    until: dt.datetime | None = None


class EngineWatch:
    """Probes the engine now and then, at once when somebody doubts it, and tells the log what changed."""

    def __init__(
        self, engine: Engine, image: str, tell: Callable[[Word], Awaitable[object]], patience: Patience
    ) -> None:
        self.info: EngineInfo | None = None
        """What answered last; None while nothing answers."""
        self.outages: deque[Outage] = deque(maxlen=OUTAGES_REMEMBERED_MAX)
        self.outages_seen = 0
        self._engine = engine
        self._image = image
        self._tell = tell
        self._patience = patience
        self._doubts = 0
        self._settled = 0
        self._doubted = asyncio.Event()
        self._looked = Signal()
        self._untold: deque[Word] = deque(maxlen=OUTAGES_REMEMBERED_MAX)

    @property
    def image_digest(self) -> str | None:
        """The worker image's; None while it is missing or the engine away."""
        return self.info.image_digest if self.info else None

    async def run(self) -> None:
        """Keep looking, for ever. Raises LeaseLost."""
        backoff = Backoff(self._patience)
        while True:
            doubts = self._doubts
            self._doubted.clear()
            answers = await self._look()
            await self._tell_news()
            if not answers:
                await backoff.pause()
                continue
            backoff.reset()
            self._settled = doubts
            self._looked.give()
            await self._until_doubted()

    async def answering(self) -> None:
        """Return when the engine has answered after this was asked: call it when it did not answer you."""
        self._doubts += 1
        mine = self._doubts
        self._doubted.set()
        while self._settled < mine:
            await came(self._looked.next(), self._patience.look_seconds)

    async def usable(self) -> None:
        """Return when the engine answers and has the worker image."""
        while self.image_digest is None:
            await came(self._looked.next(), self._patience.look_seconds)

    def here(self, moment: dt.datetime) -> dt.datetime:
        """A moment of the engine's clock by ours."""
        return moment - dt.timedelta(seconds=self.info.clock_skew_seconds if self.info else 0.0)

    def was_away_around(self, moment: dt.datetime) -> bool:
        """Whether the engine went away or came back close to a moment of its own clock."""
        moment = self.here(moment)
        slack = dt.timedelta(seconds=self._patience.restart_seconds)
        return any(
            outage.since - slack <= moment and (outage.until is None or moment <= outage.until + slack)
            for outage in self.outages
        )

    async def _look(self) -> bool:
        try:
            info = await self._engine.probe(self._image)
        except (EngineAway, EngineRefused) as error:
            self._lost(str(error))
            return False
        if abs(info.clock_skew_seconds) > SKEW_SECONDS_MAX:
            _log.warning("engine.clock_differs", seconds=round(info.clock_skew_seconds, 1))
        if self.outages and self.outages[-1].until is None:
            self.outages[-1].until = dt.datetime.now(dt.UTC)
        if self.info is None or (info.version, info.image_digest) != (
            self.info.version,
            self.info.image_digest,
        ):
            _log.info("engine.connected", version=info.version, image_digest=info.image_digest)
            self._untold.append(
                EngineConnected(
                    engine_version=info.version, image=self._image, image_digest=info.image_digest
                )
            )
        self.info = info
        return True

    def _lost(self, detail: str) -> None:
        if self.outages and self.outages[-1].until is None:
            return
        _log.warning("engine.lost", detail=detail)
        self.info = None
        self.outages.append(Outage(dt.datetime.now(dt.UTC)))
        self.outages_seen += 1
        self._untold.append(EngineLost(detail=detail))

    async def _tell_news(self) -> None:
        """Tell the log in order; while the database is away the news wait."""
        while self._untold:
            try:
                await self._tell(self._untold[0])
            except Unavailable:
                return
            self._untold.popleft()

    async def _until_doubted(self) -> None:
        seconds = self._patience.look_seconds if self.image_digest else self._patience.image_look_seconds
        if self._untold:
            seconds = self._patience.retry_seconds_first
        await came(self._doubted, seconds)
