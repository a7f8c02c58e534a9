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

    async def load(self, connection: Connection, page: LogPage) -> None:
        """Bring the rows to memory that a page changes."""
        if missing := self.missing(page):
            await self.rows.load(connection, missing)

    def missing(self, page: LogPage) -> list[str]:
        """Keys of rows that a page changes and that are not in memory."""
        if page.kinds.isdisjoint(self.projector.handlers):
            return []
        held = self.rows.held
        return [key for key in self.projector.keys(page.events) if key not in held]

    def fold(self, page: LogPage) -> Folded[R]:
        """What a page does to its rows, all of which are in memory."""
        types = self.projector.types
        first = next((event for event in page.unreadable if event.type in types), None)
        if first is None:
            none = page.kinds.isdisjoint(self.projector.handlers)
            return Folded({}) if none else fold(self.projector, page.events, self.rows.held)
        before = [recorded for recorded in page.events if recorded.position < first.position]
        folded = fold(self.projector, before, self.rows.held)
        if folded.poison is not None:
            return folded
        return dataclasses.replace(folded, poison=Poison(first.position, first.type, first.error))


AnyFollowing: TypeAlias = Following[Any]
AnyFolded: TypeAlias = Folded[Any]
