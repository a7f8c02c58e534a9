"""Which runs are open, folded from the log, with a checkpoint so that a start need not read all of it."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

import sql
from events import checkpoint
from events.base import Event, Recorded
from events.errors import LeaseLost
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerRemoved,
    RunCancelled,
    RunFailed,
    RunRequested,
    RunSucceeded,
)
from sql.database import Database

FOLLOWER = "work"
TYPES = frozenset(
    kind.type_name()
    for kind in (
        RunRequested,
        AttemptBegun,
        CancelRequested,
        RunSucceeded,
        RunFailed,
        RunCancelled,
        ContainerRemoved,
    )
)

Phase: TypeAlias = Literal["waiting", "active", "over"]

_queries = sql.load("open_run")


@dataclasses.dataclass(frozen=True, slots=True)
class OpenRun:
    """A run of which something is left to do."""

    position: int
    """Of its request: the queue's order."""
    phase: Phase


class OpenRuns:
    """Every open run, oldest first in each phase."""

    def __init__(self) -> None:
        self.position = 0
        """How far the log is folded in."""
        self.phases: dict[Phase, dict[str, int]] = {"waiting": {}, "active": {}, "over": {}}
        """Runs by phase, each with the position of its request."""
        self._stored: dict[str, OpenRun] = {}
        self._stored_position = 0

    def see(self, recorded: Recorded[Event]) -> None:
        """Fold in one event of a run."""
        run = recorded.stream.key
        match recorded.event:
            case RunRequested():
                self.phases["waiting"][run] = recorded.position
            case AttemptBegun():
                self._move(run, "active")
            case RunSucceeded() | RunFailed() | RunCancelled() as end:
                self._move(run, "over" if end.attempt else None)
            case ContainerRemoved():
                self._move(run, None)
            case _:
                pass

    def now(self) -> dict[str, OpenRun]:
        """Every open run."""
        return {
            run: OpenRun(position, phase)
            for phase, runs in self.phases.items()
            for run, position in runs.items()
        }

    async def load(self, database: Database) -> None:
        """Begin at the last checkpoint. Raises DatabaseAway."""
        self._stored_position = self.position = await checkpoint.load(database, FOLLOWER)
        async with database.acquire() as connection:
            rows = await connection.fetch(_queries.all)
        self._stored = {row["run"]: OpenRun(row["position"], row["phase"]) for row in rows}
        for run, known in self._stored.items():
            self.phases[known.phase][run] = known.position

    async def save(self, database: Database) -> None:
        """Move the checkpoint up to what is folded in. Raises DatabaseAway, StorageFull, LeaseLost."""
        position, now = self.position, self.now()
        if position == self._stored_position:
            return
        kept = [
            (run, known.position, known.phase) for run, known in now.items() if self._stored.get(run) != known
        ]
        closed = [run for run in self._stored if run not in now]
        async with database.acquire() as connection, connection.transaction():
            if not await checkpoint.advance(connection, FOLLOWER, self._stored_position, position):
                raise LeaseLost
            if kept:
                await connection.execute(_queries.keep, *map(list, zip(*kept, strict=True)))
            if closed:
                await connection.execute(_queries.close, closed)
        self._stored, self._stored_position = now, position

    def _move(self, run: str, phase: Phase | None) -> None:
        position = None
        for runs in self.phases.values():
            position = runs.pop(run, position)
        if phase is not None and position is not None:
            self.phases[phase][run] = position
