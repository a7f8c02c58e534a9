"""The control lane page by page, each event decoded once for all read models."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import uuid
from collections.abc import AsyncGenerator, Container

import msgspec

import sql
from events import codec
from events.base import Event, Recorded, Stream
from events.errors import UnknownEvent
from sql.database import Database

PAGE_EVENTS = 1000
PAGE_EVENTS_AHEAD = 2000
PAGES_AHEAD = 2

_queries = sql.load("projector")


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that this release cannot decode."""

    position: int
    type: str
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class LogPage:
    """Some events after a position, in order."""

    events: tuple[Recorded[Event], ...]
    """Those of the types asked for."""
    kinds: frozenset[type[Event]]
    """The types among them."""
    unreadable: tuple[Unreadable, ...]
    """Of the types asked for too."""
    last: int
    """The position of the page's last event, of whatever type."""
    full: bool
    """There may be more right behind it."""


class _Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    position: int
    category: str
    key: str
    version: int
    type: str
    schema_v: int
    event_id: uuid.UUID
    at: dt.datetime
    meta: msgspec.Raw
    data: msgspec.Raw


_DECODER = msgspec.json.Decoder(list[_Entry])


async def read(database: Database, after: int, types: Container[str], limit: int = PAGE_EVENTS) -> LogPage:
    """The next page after a position; raises DatabaseAway."""
    async with database.acquire() as connection:
        text = await connection.fetchval(_queries.page, after, limit)
    entries = _DECODER.decode(text)
    last = entries[-1].position if entries else after
    events: list[Recorded[Event]] = []
    unreadable: list[Unreadable] = []
    for entry in entries:
        if entry.type not in types:
            continue
        try:
            events.append(_recorded(entry))
        except UnknownEvent as error:
            unreadable.append(Unreadable(entry.position, entry.type, str(error)))
    kinds = frozenset({type(recorded.event) for recorded in events})
    return LogPage(tuple(events), kinds, tuple(unreadable), last, len(entries) == limit)


async def read_ahead(database: Database, after: int, types: Container[str]) -> AsyncGenerator[LogPage]:
    """Every page up to the log's present end; the next ones are fetched while one is worked on.

    Raises DatabaseAway. Close it (`contextlib.aclosing`) when leaving early.
    """
    pages: asyncio.Queue[LogPage | Exception] = asyncio.Queue(PAGES_AHEAD)
    fetching = asyncio.create_task(_fetch(database, after, types, pages), name="read the log ahead")
    try:
        full = True
        while full:
            page = await pages.get()
            if isinstance(page, Exception):
                raise page
            yield page
            full = page.full
    finally:
        fetching.cancel()
        await asyncio.wait({fetching})


async def _fetch(
    database: Database, after: int, types: Container[str], pages: asyncio.Queue[LogPage | Exception]
) -> None:
    try:
        full = True
        while full:
            page = await read(database, after, types, PAGE_EVENTS_AHEAD)
            after, full = page.last, page.full
            await pages.put(page)
    except Exception as error:  # noqa: BLE001  raised where the pages are read
        await pages.put(error)


def _recorded(entry: _Entry) -> Recorded[Event]:
    return Recorded(
        entry.position,
        Stream(entry.category, entry.key),
        entry.version,
        codec.decode(entry.type, entry.schema_v, str(entry.data, "utf-8")),
        entry.event_id,
        entry.at,
        codec.decode_meta(str(entry.meta, "utf-8")),
    )
