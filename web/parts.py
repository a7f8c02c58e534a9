"""The parts Fast-Flow needs: which of them work, which do not and since when, for people and for programs."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Literal

from events.errors import Unavailable
from projections import system_state
from projections.system_state import EngineState, Following
from sql.database import Outage
from web.site import Site

BEHIND_SECONDS_MAX = 15
"""A read model that has work and did not move for this long is stuck."""

PartStatus = Literal["ok", "away", "full", "missing", "stopped", "behind", "unknown"]

WORDS: dict[PartStatus, str] = {
    "ok": "ready",
    "away": "away",
    "full": "disk full",
    "missing": "missing",
    "stopped": "stopped",
    "behind": "behind",
    "unknown": "unknown",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One part and how it is."""

    key: str
    name: str
    status: PartStatus
    since: dt.datetime | None = None
    detail: str = ""
    """What it says about itself."""
    meaning: str = ""
    """What it means for the one who reads it, when it does not work."""
    command: str = ""
    """What to type to mend it, where there is something."""

    @property
    def ok(self) -> bool:
        """Whether it does its work."""
        return self.status == "ok"

    @property
    def word(self) -> str:
        """Its status in a word or two."""
        return WORDS[self.status]


async def all_of(site: Site) -> tuple[Part, ...]:
    """Every part as it is now; answers also without the database."""
    try:
        state, following = await asyncio.gather(
            system_state.state(site.database), system_state.read_models(site.database)
        )
    except Unavailable:
        return without_database(site.database.outage)
    return (
        database(site.database.outage),
        engine(state.engine),
        worker_image(state.engine),
        read_models(following, site.wake.control, dt.datetime.now(dt.UTC)),
    )


def without_database(outage: Outage | None) -> tuple[Part, ...]:
    """What can be said when nothing can be read."""
    away = database(outage)
    if away.ok:
        away = dataclasses.replace(away, status="away")
    return (
        away,
        Part("engine", "Container engine", "unknown"),
        Part("worker_image", "Worker image", "unknown"),
        Part("read_models", "Read models", "unknown"),
    )


def database(outage: Outage | None) -> Part:
    """The database, by what its last users met."""
    part = Part("database", "Database", "ok")
    if outage is None:
        return part
    meaning = {
        "away": "Running scripts go on; nothing accepted is lost. This heals by itself when it is back.",
        "full": "What was accepted is safe; new work waits until there is space.",
    }[outage.kind]
    return dataclasses.replace(
        part, status=outage.kind, since=outage.since, detail=outage.detail, meaning=meaning
    )


def engine(state: EngineState | None) -> Part:
    """The container engine, as last heard of."""
    part = Part("engine", "Container engine", "unknown")
    if state is None:
        return dataclasses.replace(
            part, meaning="No worker has spoken to one yet; runs wait.", command="fastflow up"
        )
    if not state.connected:
        return dataclasses.replace(
            part,
            status="away",
            since=state.since,
            detail=state.detail,
            meaning="Runs wait and start by themselves when it is back; nothing is lost.",
        )
    return dataclasses.replace(part, status="ok", since=state.since, detail=state.version)


def worker_image(state: EngineState | None) -> Part:
    """The image that every run's container is made from."""
    part = Part("worker_image", "Worker image", "unknown")
    if state is None:
        return part
    if state.image_digest is None and state.connected:
        return dataclasses.replace(
            part,
            status="missing",
            since=state.image_missing_since,
            detail=state.image,
            meaning="Runs wait until it is there.",
            command="fastflow setup",
        )
    return dataclasses.replace(part, status="ok" if state.image_digest else "unknown", detail=state.image)


def read_models(following: Sequence[Following], head: int, now: dt.datetime) -> Part:
    """What the pages read: whether it keeps up with the log."""
    part = Part("read_models", "Read models", "ok")
    for model in following:
        if model.error is not None:
            return dataclasses.replace(
                part,
                status="stopped",
                since=model.at,
                detail=f"{model.name}: {model.error}",
                meaning="What you see here is from before; runs go on.",
                command=f"fastflow rebuild {model.name}",
            )
    stuck = [m for m in following if m.position < head and (now - m.at).total_seconds() > BEHIND_SECONDS_MAX]
    if stuck:
        oldest = min(stuck, key=lambda model: model.at)
        return dataclasses.replace(
            part,
            status="behind",
            since=oldest.at,
            detail=f"{oldest.name} is at {oldest.position} of {head}",
            meaning="What you see here is from before; runs go on.",
        )
    return part
