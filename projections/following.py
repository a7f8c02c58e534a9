"""One read model on its way along the log: where it is, its rows in memory, what a page does to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from projections.log_page import LogPage, Unreadable
from projections.projector import Folded, Poison, Projector, Step, fold, fresh_keys, keys
from projections.rows import Rows

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

    def steps(self, page: LogPage) -> list[Step[R]]:
        """What a page has for this read model, up to the first event that cannot be read."""
        if page.kinds.isdisjoint(self.projector.handlers):
            return []
        unreadable = self._unreadable(page)
        if unreadable is None:
            return self.projector.steps(page.events)
        before = (recorded for recorded in page.events if recorded.position < unreadable.position)
        return self.projector.steps(before)

    def missing(self, steps: Sequence[Step[R]]) -> list[str]:
        """Keys of rows that are changed and may be in the table, but are not in memory."""
        needed = keys(steps) - self.rows.held.keys()
        return [*(needed - fresh_keys(self.projector, steps))] if needed else []

    def fold(self, page: LogPage, steps: Sequence[Step[R]]) -> Folded[R]:
        """What a page does to its rows, all of which are in memory."""
        folded = fold(steps, self.rows.held)
        unreadable = self._unreadable(page)
        if unreadable is None or folded.poison is not None:
            return folded
        poison = Poison(unreadable.position, unreadable.type, unreadable.error)
        return dataclasses.replace(folded, poison=poison)

    def _unreadable(self, page: LogPage) -> Unreadable | None:
        types = self.projector.types if page.unreadable else ()
        return next((event for event in page.unreadable if event.type in types), None)


AnyFollowing: TypeAlias = Following[Any]
AnyFolded: TypeAlias = Folded[Any]
