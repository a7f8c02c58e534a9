"""Everything Fast-Flow can refuse or fail at; a class's docstring is its message.

FastFlowError
├── Rejected                the asker can do something about it; nothing happened
│   ├── NotFound            there is no such thing
│   ├── Invalid             the request makes no sense as written
│   └── NotPossibleNow      the thing's state forbids it
├── VersionConflict         somebody was faster; decide again on the newer state
├── LeaseLost               another process took over this work; stop doing it
├── Unavailable             a part we need is away; try again later
│   ├── DatabaseAway
│   │   └── OutcomeUnknown  ... in the middle of an append; repeating it with the same ids is safe
│   ├── StorageFull
│   └── EngineAway          (fastflow.engine)
├── MigrationRefused        the database's schema does not fit this release
└── Damaged                 something that must never happen was found; a person has to look
    └── UnknownEvent

What the database itself can be or do is defined beside it, in `sql.errors`.
"""

from __future__ import annotations

from sql.errors import DatabaseAway, FastFlowError, MigrationRefused, StorageFull, Unavailable

__all__ = [
    "Damaged",
    "DatabaseAway",
    "FastFlowError",
    "Invalid",
    "LeaseLost",
    "MigrationRefused",
    "NotFound",
    "NotPossibleNow",
    "OutcomeUnknown",
    "Rejected",
    "StorageFull",
    "Unavailable",
    "UnknownEvent",
    "VersionConflict",
]


class Rejected(FastFlowError):
    """The request was refused."""


class NotFound(Rejected):
    """There is no such thing."""


class Invalid(Rejected):
    """The request makes no sense as written."""


class NotPossibleNow(Rejected):
    """That is not possible in the present state."""


class VersionConflict(FastFlowError):
    """Somebody else changed this at the same time."""


class LeaseLost(FastFlowError):
    """Another process has taken over this work."""


class OutcomeUnknown(DatabaseAway):
    """The database went away while this was being stored; repeating it with the same id is safe."""


class Damaged(FastFlowError):
    """The log holds something this release cannot read."""


class UnknownEvent(Damaged):
    """The log holds an event of a type or version this release does not know."""
