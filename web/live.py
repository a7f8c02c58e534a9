"""Tells open pages what went stale: a page names its topics and holds a set of stale ones, never a queue."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import secrets
from collections.abc import Iterable, Iterator

from events.wake import EVERYTHING, Wake
from sql.database import Database

PAGES_MAX = 2000
TOPICS_REMEMBERED_MAX = 10_000
OUTAGE_LOOK_SECONDS = 0.5
_MARK = re.compile(r"([0-9a-z]{1,32})\.([0-9]{1,18})")


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A moment between two tellings; only the process that made it can go on from it."""

    process: str
    number: int

    def __str__(self) -> str:
        return f"{self.process}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Read a mark as `str()` writes it; raises ValueError."""
        found = _MARK.fullmatch(text)
        if found is None:
            message = f"{text[:80]!r} is not a mark of this server"
            raise ValueError(message)
        return cls(found[1], int(found[2]))


@dataclasses.dataclass(slots=True, eq=False)
class Page:
    """One open page: what it shows, and what of that has changed since it was last told."""

    topics: frozenset[str]
    stale: dict[str, None] = dataclasses.field(default_factory=dict)  # a set that keeps its order
    woken: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def tell(self, topics: Iterable[str]) -> None:
        """Some of what the page shows has changed; told a thousand times, it asks once."""
        self.stale.update(dict.fromkeys(sorted(topics)))
        if self.stale:
            self.woken.set()

    def take(self) -> list[str]:
        """What went stale since the last time."""
        names = list(self.stale)
        self.stale.clear()
        self.woken.clear()
        return names


class Live:
    """The open pages of this process, and when each topic last went stale."""

    def __init__(self, database: Database, wake: Wake) -> None:
        self.pages: set[Page] = set()
        self.closing = asyncio.Event()
        self._database = database
        self._process = secrets.token_hex(4)
        self._number = 0
        self._told: dict[str, int] = {}
        self._forgotten = 0
        """Nobody knows any more what went stale up to this number."""
        wake.on_stale(self.tell)

    def mark(self) -> Mark:
        """Now. A page takes it before it reads, so that whatever changes after its reading is after it."""
        return Mark(self._process, self._number)

    @contextlib.contextmanager
    def page(self, topics: Iterable[str], after: Mark) -> Iterator[Page]:
        """A page that is open as long as this context is, already told what it missed since `after`."""
        page = Page(frozenset(topics))
        self.pages.add(page)
        try:
            page.tell(self._missed(page.topics, after))
            yield page
        finally:
            self.pages.discard(page)

    def _missed(self, topics: frozenset[str], after: Mark) -> Iterable[str]:
        if after.process != self._process or after.number < self._forgotten:
            return topics
        return [topic for topic in topics if self._told.get(topic, 0) > after.number]

    @property
    def full(self) -> bool:
        """No more pages can be told; further ones have to reload by themselves."""
        return len(self.pages) >= PAGES_MAX

    def tell(self, topics: frozenset[str]) -> None:
        """These topics went stale, or all of them."""
        self._number += 1
        if EVERYTHING in topics:
            self._told.clear()
            self._forgotten = self._number
            for page in self.pages:
                page.tell(page.topics)
            return
        self._remember(topics)
        for page in self.pages:
            page.tell(topics & page.topics)

    def _remember(self, topics: frozenset[str]) -> None:
        for topic in topics:
            self._told.pop(topic, None)  # to the end: the oldest stand first
            self._told[topic] = self._number
        while len(self._told) > TOPICS_REMEMBERED_MAX:
            self._forgotten = self._told.pop(next(iter(self._told)))

    async def watch(self) -> None:
        """Tell pages when the database goes or comes back: nobody can write an event about that."""
        known = self._database.outage
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OUTAGE_LOOK_SECONDS):
                    await self.closing.wait()
            now = self._database.outage
            if (now and now.kind) != (known and known.kind):
                self.tell(frozenset({"system"}) if now else frozenset({EVERYTHING}))
            known = now

    def close(self) -> None:
        """Send every open page home, so that it does not hold up the end of the program."""
        self.closing.set()
