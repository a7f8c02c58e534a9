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
│   ├── StorageFull
│   └── EngineAway          (fastflow.engine)
└── Damaged                 something that must never happen was found; a person has to look
    └── UnknownEvent
"""

from __future__ import annotations


class FastFlowError(Exception):
    """Something in Fast-Flow failed."""

    def __str__(self) -> str:
        """The words given, else the docstring's first line."""
        return super().__str__() or (type(self).__doc__ or "").partition("\n")[0]


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


class Unavailable(FastFlowError):
    """A part Fast-Flow needs is not available right now; nothing was lost, try again."""


class DatabaseAway(Unavailable):
    """The database does not answer; runs go on, nothing is lost, try again in a moment."""


class StorageFull(Unavailable):
    """The database's disk is full; nothing acknowledged was lost, new work waits for space."""


class Damaged(FastFlowError):
    """The log holds something this release cannot read."""


class UnknownEvent(Damaged):
    """The log holds an event of a type or version this release does not know."""
