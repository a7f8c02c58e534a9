"""How is Fast-Flow itself? Its engine, its processes, and what stopped a read model."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

import sql
from events.base import Event, Recorded
from events.system import EngineConnected, EngineLost, ProcessStarted, ProcessStopped
from projections.projector import Projector
from sql.database import Database

PROCESSES_KEPT_MAX = 20
PART = "fastflow"

_queries = sql.load("system_state")
_projector_queries = sql.load("projector")


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """The container engine, as last heard of."""

    connected: bool
    since: dt.datetime
    """When it began to answer, or stopped."""
    detail: str = ""
    """Why it does not answer, in its own words."""
    version: str = ""
    image: str = ""
    image_digest: str | None = None
    """None: the worker image is missing, runs wait."""
    image_missing_since: dt.datetime | None = None


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A Fast-Flow process; one without an end is running, or crashed."""

    role: str
    host: str
    release: str
    started_at: dt.datetime
    stopped_at: dt.datetime | None = None


class SystemState(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says about Fast-Flow itself."""

    part: str = PART
    engine: EngineState | None = None
    """None until an engine was heard of."""
    processes: tuple[Process, ...] = ()
    """The last PROCESSES_KEPT_MAX started, oldest first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Following:
    """How far a read model has come."""

    name: str
    position: int
    error: str | None
    """What stopped it; None while it follows the log."""
    at: dt.datetime
    """When it last moved, or stopped."""


def _part(_: Recorded[Event]) -> str:
    return PART


def _topics(_: str, __: SystemState) -> Iterable[str]:
    return ("system",)


SYSTEM_STATE = Projector(
    "system_state",
    version=1,
    row=SystemState,
    key=_part,
    topics=_topics,
    kept_as="document",
    rows_held_max=1,
)

_DECODER = msgspec.json.Decoder(SystemState)


async def state(database: Database) -> SystemState:
    """What the log says about Fast-Flow itself."""
    async with database.acquire() as connection:
        found = await connection.fetch(_queries.load, [PART])
    return _DECODER.decode(found[0]["row"]) if found else SystemState()


async def read_models(database: Database) -> tuple[Following, ...]:
    """How far each read model has come, and what stopped it."""
    async with database.acquire() as connection:
        found = await connection.fetch(_projector_queries.progress)
    return tuple(Following(**row) for row in found)


@SYSTEM_STATE.begins(EngineConnected)
def _(recorded: Recorded[EngineConnected], row: SystemState | None) -> SystemState:
    row, told = row or SystemState(), recorded.event
    before = row.engine
    missing_since = None
    if told.image_digest is None:
        known = None if before is None else before.image_missing_since
        missing_since = known or recorded.at
    engine = EngineState(
        connected=True,
        since=before.since if before and before.connected else recorded.at,
        version=told.engine_version,
        image=told.image,
        image_digest=told.image_digest,
        image_missing_since=missing_since,
    )
    return replace(row, engine=engine)


@SYSTEM_STATE.begins(EngineLost)
def _(recorded: Recorded[EngineLost], row: SystemState | None) -> SystemState:
    row = row or SystemState()
    before = row.engine or EngineState(connected=True, since=recorded.at)
    since = recorded.at if before.connected else before.since
    return replace(row, engine=replace(before, connected=False, since=since, detail=recorded.event.detail))


@SYSTEM_STATE.begins(ProcessStarted)
def _(recorded: Recorded[ProcessStarted], row: SystemState | None) -> SystemState:
    row, told = row or SystemState(), recorded.event
    started = Process(role=told.role, host=told.host, release=told.release, started_at=recorded.at)
    others = [known for known in row.processes if (known.role, known.host) != (told.role, told.host)]
    return replace(row, processes=(*others, started)[-PROCESSES_KEPT_MAX:])


@SYSTEM_STATE.begins(ProcessStopped)
def _(recorded: Recorded[ProcessStopped], row: SystemState | None) -> SystemState:
    row, told = row or SystemState(), recorded.event
    processes = tuple(
        replace(known, stopped_at=recorded.at)
        if (known.role, known.host) == (told.role, told.host) and known.stopped_at is None
        else known
        for known in row.processes
    )
    return replace(row, processes=processes)
