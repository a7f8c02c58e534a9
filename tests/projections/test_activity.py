"""What happened in the last day, by the hour."""

from __future__ import annotations

import datetime as dt

from events.run import RunCancelled, RunFailed, RunRequested, RunSucceeded
from projections.activity import ACTIVITY, Minute
from tests.projections.projecting import START, recorded, rows_of

REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py")
MINUTE = START.replace(second=0)


def test_runs_are_counted_by_the_minute_in_which_something_happened() -> None:
    events = [REQUEST, REQUEST, RunSucceeded(attempt=1), RunFailed(attempt=1, reason="lost")]
    late = recorded([*events, *[RunCancelled(attempt=0, by="ann")] * 40])

    rows = rows_of(ACTIVITY, late)

    later = MINUTE + dt.timedelta(minutes=1)
    assert [*rows.values()] == [
        Minute(minute=MINUTE, requested=2, succeeded=1, failed=1, cancelled=35),
        Minute(minute=later, cancelled=5),
    ]
