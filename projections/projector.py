"""The declaration of a read model: which events change which of its rows, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Literal, NoReturn, TypeAlias, TypeVar

import msgspec

from events.base import Event, Recorded
from events.errors import Damaged

R = TypeVar("R", bound=msgspec.Struct)
E = TypeVar("E", bound=Event)

Step: TypeAlias = tuple[Recorded[Event], str, "Handler[R]"]
"""One event on its way to the row it changes: the event, the row's key, what it does to the row."""
Key = Callable[[Recorded[Event]], str]
Topics = Callable[[str, R], Iterable[str]]


def stream_key(recorded: Recorded[Event]) -> str:
    """The key of read models with one row for each stream."""
    return recorded.stream.key


class RowMissing(Damaged):
    """The log holds an event about something that never began."""


@dataclasses.dataclass(frozen=True, slots=True)
class Handler(Generic[R]):
    """What one type of event does to a row."""

    project: Callable[..., R]
    begins: bool
    """It may be a row's first event."""


@dataclasses.dataclass(frozen=True, slots=True)
class Poison:
    """The event that a projector could not project, and why."""

    position: int
    type: str
    error: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"The event {self.type} at position {self.position} could not be projected: {self.error}"


@dataclasses.dataclass(frozen=True, slots=True)
class Folded(Generic[R]):
    """What a page of the log does to a read model."""

    rows: Mapping[str, R]
    """The changed rows by key, as they are after the last event that could be projected."""
    poison: Poison | None = None


class Projector(Generic[R]):
    """A read model: rows of one type, each folded from the events that have its key.

    Handlers are pure: `(recorded, row) -> row`. Raise `version` when a handler or the row type changes;
    the read model is then built again from the first event. Its name is also that of its table, of its
    checkpoint, of its query file and of its test.
    """

    def __init__(
        self,
        name: str,
        *,
        version: int,
        row: type[R],
        key: Key,
        topics: Topics[R],
        kept_as: Literal["columns", "document"] = "columns",
        rows_held_max: int = 1000,
    ) -> None:
        self.name = name
        self.version = version
        self.row = row
        self.key = key
        self.topics = topics
        """What goes stale on pages when this row has changed."""
        self.kept_as = kept_as
        """Whether its table has a column for each field, or keeps a row as one text."""
        self.rows_held_max = rows_held_max
        """Rows kept in memory between batches."""
        self.handlers: dict[type[Event], Handler[R]] = {}

    def begins(
        self, kind: type[E]
    ) -> Callable[[Callable[[Recorded[E], R | None], R]], Callable[[Recorded[E], R | None], R]]:
        """Register the handler of an event that may be a row's first."""

        def register(project: Callable[[Recorded[E], R | None], R]) -> Callable[[Recorded[E], R | None], R]:
            self.handlers[kind] = Handler(project, begins=True)
            return project

        return register

    def on(self, kind: type[E]) -> Callable[[Callable[[Recorded[E], R], R]], Callable[[Recorded[E], R], R]]:
        """Register the handler of an event that changes a row already there."""

        def register(project: Callable[[Recorded[E], R], R]) -> Callable[[Recorded[E], R], R]:
            self.handlers[kind] = Handler(project, begins=False)
            return project

        return register

    @property
    def types(self) -> frozenset[str]:
        """Stored names of the types of events it handles."""
        return frozenset(kind.type_name() for kind in self.handlers)

    def steps(self, events: Iterable[Recorded[Event]]) -> list[Step[R]]:
        """The events that it handles, each with the key of its row and its handler."""
        handlers, key = self.handlers, self.key
        return [
            (recorded, key(recorded), handler)
            for recorded in events
            if (handler := handlers.get(type(recorded.event))) is not None
        ]


def keys(steps: Iterable[Step[R]]) -> set[str]:
    """Of the rows that these steps change."""
    return {key for _, key, _ in steps}


def fresh_keys(projector: Projector[R], steps: Iterable[Step[R]]) -> set[str]:
    """Of the rows among them that cannot be there yet: these steps have their stream's first event."""
    if projector.key is not stream_key:
        return set()
    return {key for recorded, key, _ in steps if recorded.version == 1}


def fold(steps: Iterable[Step[R]], rows: Mapping[str, R]) -> Folded[R]:
    """What these events make of the rows they belong to, up to the first that cannot be projected."""
    changed: dict[str, R] = {}
    for recorded, key, handler in steps:
        row = changed.get(key) or rows.get(key)
        try:
            changed[key] = handler.project(recorded, row) if row or handler.begins else _missing()
        except Exception as error:  # noqa: BLE001  whatever a handler raises stops this read model only
            words = f"{type(error).__name__}: {error}"
            return Folded(changed, Poison(recorded.position, recorded.event.type_name(), words))
    return Folded(changed)


def _missing() -> NoReturn:
    raise RowMissing
