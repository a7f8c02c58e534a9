"""One read model on its way along the log: where it is, its rows in memory, what a page does to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
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

    async def fold(self, page: LogPage, connection: Callable[[], Awaitable[Connection]]) -> Folded[R]:
        """What a page does to its rows; those that are not in memory are read by the connection."""
        types = self.projector.types if page.unreadable else ()
        unreadable = next((event for event in page.unreadable if event.type in types), None)
        if unreadable is None:
            return await self._fold(page, connection)
        before = tuple(recorded for recorded in page.events if recorded.position < unreadable.position)
        folded = await self._fold(dataclasses.replace(page, events=before), connection)
        if folded.poison is not None:
            return folded
        poison = Poison(unreadable.position, unreadable.type, unreadable.error)
        return dataclasses.replace(folded, poison=poison)

    async def _fold(self, page: LogPage, connection: Callable[[], Awaitable[Connection]]) -> Folded[R]:
        if page.kinds.isdisjoint(self.projector.handlers):
            return Folded({})
        folded = fold(self.projector, page.events, self.rows.held)
        if folded.needed:
            await self.rows.load(await connection(), folded.needed)
            folded = fold(self.projector, page.events, self.rows.held, folded.needed)
        return folded


AnyFollowing: TypeAlias = Following[Any]
AnyFolded: TypeAlias = Folded[Any]
