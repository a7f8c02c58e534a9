"""What every event, stream and recorded event has in common."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

E_co = TypeVar("E_co", bound="Event", covariant=True)


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A fact that happened in the world; never changed afterwards.

    Subclasses name themselves by `tag` (a dotted name that never changes) and raise `schema_v` when the
    meaning of a field changes; `events.codec` holds the upcasters. Id, time and actor are in the envelope.
    """

    schema_v: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        """The stable dotted name stored with each event of this type."""
        return str(cls.__struct_config__.tag)


class Stream(msgspec.Struct, frozen=True):
    """The name of the events of one thing, in order: `run-018f…`, `pipeline-sales`."""

    category: str
    key: str

    def __str__(self) -> str:
        return f"{self.category}-{self.key}"

    @classmethod
    def parse(cls, text: str) -> Stream:
        """Read a name as `str()` writes it; raises ValueError."""
        category, dash, key = text.partition("-")
        if not (category and dash and key):
            message = f"{text!r} is not a stream name; expected CATEGORY-KEY"
            raise ValueError(message)
        return cls(category, key)


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who caused an event, and by what."""

    actor: str = "system"
    """`system`, `api`, `cli`, `page`, later a user's name."""

    causation: str | None = None
    """The event or request id that led to this one."""


class Recorded(msgspec.Struct, Generic[E_co], frozen=True):
    """An event as the log keeps it."""

    position: int
    stream: Stream
    version: int
    event: E_co
    event_id: uuid.UUID
    at: dt.datetime
    """When it was appended, by the database's clock, UTC. Never used for order."""
    meta: Metadata


class RawRecorded(msgspec.Struct, frozen=True):
    """A row of the log with its data as stored: for audit replay, which must show events of any version."""

    position: int
    type: str
    stream: str
    version: int
    at: dt.datetime
    data: dict[str, Any]
    meta: dict[str, Any]
