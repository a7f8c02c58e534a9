"""How much happened lately? Runs requested and ended, counted by the minute."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

import sql
from events.base import Event, Recorded
from events.run import RunCancelled, RunFailed, RunRequested, RunSucceeded
from projections.projector import Projector
from sql.database import Database

_queries = sql.load("activity")


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one minute."""

    minute: dt.datetime
    requested: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a span of time."""

    requested: int
    succeeded: int
    failed: int
    cancelled: int


def _minute(recorded: Recorded[Event]) -> str:
    """Minutes since 1970: four times as fast to say as the minute's name."""
    return str(int(recorded.at.timestamp()) // 60)


def _topics(_: str, __: Minute) -> Iterable[str]:
    return ("runs",)


ACTIVITY = Projector("activity", version=1, row=Minute, key=_minute, topics=_topics, rows_held_max=10)


async def since(database: Database, at: dt.datetime) -> Activity:
    """What happened from a time on, counted from the beginning of its minute."""
    start = at.replace(second=0, microsecond=0)
    async with database.acquire() as connection:
        [found] = await connection.fetch(_queries.since, start)
    return Activity(**found)


@ACTIVITY.begins(RunRequested)
def _(recorded: Recorded[RunRequested], row: Minute | None) -> Minute:
    row = row or _quiet(recorded.at)
    return replace(row, requested=row.requested + 1)


@ACTIVITY.begins(RunSucceeded)
def _(recorded: Recorded[RunSucceeded], row: Minute | None) -> Minute:
    row = row or _quiet(recorded.at)
    return replace(row, succeeded=row.succeeded + 1)


@ACTIVITY.begins(RunFailed)
def _(recorded: Recorded[RunFailed], row: Minute | None) -> Minute:
    row = row or _quiet(recorded.at)
    return replace(row, failed=row.failed + 1)


@ACTIVITY.begins(RunCancelled)
def _(recorded: Recorded[RunCancelled], row: Minute | None) -> Minute:
    row = row or _quiet(recorded.at)
    return replace(row, cancelled=row.cancelled + 1)


def _quiet(at: dt.datetime) -> Minute:
    return Minute(minute=at.replace(second=0, microsecond=0))
