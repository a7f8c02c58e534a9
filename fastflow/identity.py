"""Names that nobody else will choose: run ids that sort by age, or that an idempotency key leads to."""

from __future__ import annotations

import uuid

from events.errors import Invalid
from events.uuid7 import uuid7

_RUNS = uuid.UUID("5b0a2c51-6f43-5d0e-9c5e-2f1d8f1f7a10")
"""The name space of keyed run ids; changing it would let old keys start new runs."""


def new_run() -> str:
    """A run's id that nobody had before; younger runs have greater ones."""
    return str(uuid7())


def keyed_run(pipeline: str, key: str) -> str:
    """The run that an idempotency key of a pipeline always leads to."""
    return str(uuid.uuid5(_RUNS, f"{pipeline}\n{key}"))


def keyed_event(run: str, asked: str) -> uuid.UUID:
    """The id of the event that accepts a keyed run: the same words lead to the same event."""
    return uuid.uuid5(uuid.UUID(run), asked)


def checked_run(text: str) -> str:
    """A run id as written by a person or a program; raises Invalid."""
    try:
        is_one = str(uuid.UUID(text)) == text
    except ValueError:
        is_one = False
    if not is_one:
        raise Invalid(f"{text[:80]!r} is not a run's id; one looks like 0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42")
    return text
