"""Given these events, a read model has this row; each history is projected twice."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from events import run
from events.base import Event, Metadata, Recorded, Stream
from projections.projector import Projector, fold

R = TypeVar("R", bound=msgspec.Struct)

RUN = run.stream("r1")
START = dt.datetime(2026, 3, 1, 9, 30, 20, tzinfo=dt.UTC)


def second(number: int) -> dt.datetime:
    """When the event at this position happened."""
    return START + dt.timedelta(seconds=number)


def recorded(events: Iterable[Event], stream: Stream = RUN, actor: str = "api") -> list[Recorded[Event]]:
    """These events as the log would keep them: positions from 1, one each second."""
    return [
        Recorded(number, stream, number, event, uuid.UUID(int=number), second(number), Metadata(actor))
        for number, event in enumerate(events, 1)
    ]


def rows_of(projector: Projector[R], events: Sequence[Recorded[Event]]) -> dict[str, R]:
    """The rows after these events: all in one batch, and again one by one, through the table's form."""
    keys = {projector.key(each) for each in events}
    at_once = fold(projector, events, {}, keys)
    assert at_once.poison is None
    one_by_one: dict[str, R] = {}
    for each in events:
        folded = fold(projector, [each], one_by_one, keys)
        assert folded.poison is None
        one_by_one |= {key: stored(projector, row) for key, row in folded.rows.items()}
    assert one_by_one == at_once.rows
    return one_by_one


def row_of(projector: Projector[R], *events: Event, stream: Stream = RUN, actor: str = "api") -> R:
    """The one row that these events of one stream lead to."""
    [row] = rows_of(projector, recorded(events, stream, actor)).values()
    return row


def stored(projector: Projector[R], row: R) -> R:
    """A row after it went to its table and came back."""
    return msgspec.json.decode(msgspec.json.encode(row), type=projector.row)
