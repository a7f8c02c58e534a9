"""One read model on its way along the log: where it is, its rows in memory, what a page does to it."""

from __future__ import annotations

import dataclasses
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from projections.log_page import LogPage
from projections.projector import Folded, Poison, Projector, fold
from projections.rows import Rows
from sql.database import Connection

R = TypeVar("R", bound=msgspec.Struct)

AnyProjector: TypeAlias = Projector[Any]
"""Read models of different rows are followed side by side."""


class Following(Generic[R]):
    """A read model and how far it has come."""

    def __init__(self, projector: Projector[R], position: int, build: int = 0) -> None:
        self.projector = projector
        self.position = position
        self.build = build
        """Of the table it writes to; another number means that the table was replaced."""
        self.rows = Rows(projector)

    @property
    def name(self) -> str:
        """Of its projector, table and checkpoint."""
        return self.projector.name

    async def fold(self, connection: Connection, page: LogPage) -> Folded[R]:
        """What a page does to its rows; only what is needed for that is read."""
        types = self.projector.types
        first = next((event for event in page.unreadable if event.type in types), None)
        events = page.events
        if first is not None:
            events = tuple(recorded for recorded in events if recorded.position < first.position)
        await self.rows.load(connection, self.projector.keys(events))
        folded = fold(self.projector, events, self.rows.held)
        if first is None or folded.poison is not None:
            return folded
        return dataclasses.replace(folded, poison=Poison(first.position, first.type, first.error))


AnyFollowing: TypeAlias = Following[Any]
AnyFolded: TypeAlias = Folded[Any]
