"""The declaration of a read model: which events change which of its rows, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Generic, Literal, NoReturn, TypeVar

import msgspec

from events.base import Event, Recorded
from events.errors import Damaged

R = TypeVar("R", bound=msgspec.Struct)
E = TypeVar("E", bound=Event)

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
    needed: AbstractSet[str] = frozenset()
    """Keys of rows that must be at hand; unless empty, the rest is not the whole truth."""
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


def fold(
    projector: Projector[R],
    events: Iterable[Recorded[Event]],
    rows: Mapping[str, R],
    absent: AbstractSet[str] = frozenset(),
) -> Folded[R]:
    """What these events make of the rows they belong to, up to the first that cannot be projected.

    A row that is neither given nor known to be absent is needed, unless its stream begins here.
    """
    handlers, key_of = projector.handlers, projector.key
    each_stream = key_of is stream_key
    changed: dict[str, R] = {}
    needed: set[str] = set()
    for recorded in events:
        handler = handlers.get(type(recorded.event))
        if handler is None:
            continue
        key = key_of(recorded)
        row = changed.get(key) or rows.get(key)
        if row is None and key not in absent and not (each_stream and recorded.version == 1):
            needed.add(key)
            continue
        try:
            changed[key] = handler.project(recorded, row) if row or handler.begins else _missing()
        except Exception as error:  # noqa: BLE001  whatever a handler raises stops this read model only
            words = f"{type(error).__name__}: {error}"
            poison = Poison(recorded.position, recorded.event.type_name(), words)
            return Folded(changed, needed, poison)
    return Folded(changed, needed)


def _missing() -> NoReturn:
    raise RowMissing
