"""Which containers nobody looks after, and what becomes of each: the table of what runs leave behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, TypeAlias

from fastflow.domain.run import Active, Over, RunState, Unborn, Waiting
from fastflow.engine import Observed

Fate: TypeAlias = Literal["remove", "leave"]


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a look at all containers of this installation means."""

    hints: tuple[str, ...]
    """Supervised runs whose container has ended or is gone: a wait may have missed it."""
    strangers: tuple[Observed, ...]
    """Containers of runs nobody supervises."""


def compare(observed: Iterable[Observed], supervised: Mapping[str, str | None]) -> Found:
    """Set containers against supervisors; `supervised` maps a run to its container, once it has one."""
    by_name = {seen.name: seen for seen in observed if seen.run}
    running = {name for name, seen in by_name.items() if seen.state != "exited"}
    hints = tuple(run for run, name in supervised.items() if name is not None and name not in running)
    strangers = tuple(seen for seen in by_name.values() if seen.run not in supervised)
    return Found(hints, strangers)


def fate(seen: Observed, state: RunState, seconds_known: float, orphan_seconds: float) -> Fate:
    """What to do about a container that nobody supervises.

    A run that is over needs no container. One that waits or is not known may be about to need it: its
    event may be on its way, so it is left alone for a while.
    """
    match state:
        case Over():
            return "remove"
        case Active():
            return "leave" if seen.attempt >= state.attempt else _when_old(seconds_known, orphan_seconds)
        case Unborn() | Waiting():
            return _when_old(seconds_known, orphan_seconds)


def _when_old(seconds_known: float, orphan_seconds: float) -> Fate:
    return "remove" if seconds_known >= orphan_seconds else "leave"


def forget(known: Mapping[str, float], names: Collection[str]) -> dict[str, float]:
    """First sights of containers that are still there."""
    return {name: at for name, at in known.items() if name in names}
