"""Small pictures as numbers: the strip of a pipeline's last runs, and what took how long in a run."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Sequence

from projections.run_detail import RunDetail
from projections.run_list import RunRow

STRIP_RUNS = 20
STRIP_STEP, STRIP_MARK, STRIP_HEIGHT, STRIP_LEAST = 10, 7, 28, 7
PHASES_WIDTH = 1000
PHASE_LEAST = 6
"""A phase that happened is seen, however short it was."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """One run in a strip."""

    run: RunRow
    x: int
    height: float


def strip(rows: Sequence[RunRow]) -> list[Mark]:
    """The last runs, the newest at the right; the taller, the longer its script took."""
    shown = list(rows[:STRIP_RUNS])[::-1]
    longest = max((row.duration_ms or 0 for row in shown), default=0)
    left = STRIP_RUNS - len(shown)
    return [Mark(row, (left + place) * STRIP_STEP, _height(row, longest)) for place, row in enumerate(shown)]


def _height(row: RunRow, longest: int) -> float:
    if row.status == "RUNNING":
        return STRIP_HEIGHT
    if not row.duration_ms or not longest:
        return STRIP_LEAST
    share = math.sqrt(row.duration_ms / longest)
    return round(STRIP_LEAST + (STRIP_HEIGHT - STRIP_LEAST) * share, 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Phase:
    """One part of a run's time."""

    key: str
    """`waiting`, `setup`, `start` or `script`."""
    name: str
    milliseconds: int
    since: dt.datetime | None
    """When it began, if it is under way."""
    x: float = 0
    width: float = 0


def phases(run: RunDetail, now: dt.datetime) -> list[Phase]:
    """What a run's time was spent on, in order, laid out over PHASES_WIDTH."""
    found = [phase for phase in _phases(run, now) if phase.milliseconds > 0 or phase.since is not None]
    total = sum(phase.milliseconds for phase in found)
    room = PHASES_WIDTH - PHASE_LEAST * len(found)
    x = 0.0
    placed = []
    for phase in found:
        width = PHASE_LEAST + (room * phase.milliseconds / total if total else room / len(found))
        placed.append(dataclasses.replace(phase, x=round(x, 1), width=round(width, 1)))
        x += width
    return placed


def _phases(run: RunDetail, now: dt.datetime) -> Iterable[Phase]:
    over = run.ended_at
    if not run.attempts:
        yield _phase("waiting", "waiting", run.requested_at, over, now)
        return
    first, last = run.attempts[0], run.attempts[-1]
    yield _phase("waiting", "waiting", run.requested_at, first.begun_at, now)
    setup = last.setup
    begun = last.begun_at
    if setup is not None and setup.started_at is not None:
        yield _phase("setup", "set-up", setup.started_at, setup.finished_at or over, now)
        begun = setup.finished_at or now
    if setup is None or setup.started_at is None or setup.finished_at is not None:
        yield _phase("start", "container start", begun, last.started_at or over, now)
    if last.started_at is not None:
        yield _phase("script", "script", last.started_at, last.finished_at or over, now)


def _phase(key: str, name: str, start: dt.datetime, end: dt.datetime | None, now: dt.datetime) -> Phase:
    spent = ((end or now) - start) / dt.timedelta(milliseconds=1)
    return Phase(key, name, max(0, round(spent)), start if end is None else None)
