"""What can be wrong with the database; `events.errors` shows where each stands in the tree of all errors."""

from __future__ import annotations


class FastFlowError(Exception):
    """Something in Fast-Flow failed."""

    def __str__(self) -> str:
        """The words given, else the docstring's first line."""
        return super().__str__() or (type(self).__doc__ or "").partition("\n")[0]


class Unavailable(FastFlowError):
    """A part Fast-Flow needs is not available right now; nothing was lost, try again."""


class DatabaseAway(Unavailable):
    """The database does not answer; runs go on, nothing is lost, try again in a moment."""


class StorageFull(Unavailable):
    """The database's disk is full; nothing acknowledged was lost, new work waits for space."""


class MigrationRefused(FastFlowError):
    """The database's schema does not fit this release."""
