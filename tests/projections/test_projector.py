"""A projector folds each event into the row it belongs to."""

from __future__ import annotations

import pytest

from events.base import Event
from events.codec import EVENTS
from events.run import (
    AttemptBegun,
    ContainerRemoved,
    LogGapDeclared,
    RunRequested,
    StepEntered,
    StopSignalled,
)
from events.system import EnvironmentFailed, EnvironmentReady
from projections import PROJECTORS
from projections.activity import ACTIVITY
from projections.following import AnyProjector
from projections.projector import fold
from projections.run_list import RUN_LIST
from tests.projections.projecting import START, recorded

REQUEST = RunRequested(pipeline="sales", snapshot="s", entry="main.py")
BEGUN = AttemptBegun(attempt=1, container="c")

RUN_EVENTS = {kind for name, kind in EVENTS.items() if name.startswith("run.")}
PIPELINE_EVENTS = {kind for name, kind in EVENTS.items() if name.startswith("pipeline.")}
OTHERS = EVENTS.keys() - {kind.type_name() for kind in RUN_EVENTS | PIPELINE_EVENTS}

IGNORED: dict[str, set[type[Event]]] = {
    "run_list": {StepEntered, StopSignalled, LogGapDeclared, ContainerRemoved},
    "run_detail": set(),
    "pipeline_list": set(),
    "system_state": {EnvironmentReady, EnvironmentFailed},
}
"""Events of a read model's own subject that it deliberately does nothing with."""


@pytest.mark.parametrize("projector", PROJECTORS, ids=lambda projector: projector.name)
def test_every_event_of_a_read_models_subject_is_handled_or_ignored_on_purpose(
    projector: AnyProjector,
) -> None:
    subjects = {
        "run_list": RUN_EVENTS,
        "run_detail": RUN_EVENTS,
        "activity": set(projector.handlers),
        "pipeline_list": PIPELINE_EVENTS,
        "system_state": {EVENTS[name] for name in OTHERS},
    }

    ignored = IGNORED.get(projector.name, set())
    assert set(projector.handlers) | ignored == subjects[projector.name]
    assert not set(projector.handlers) & ignored


def test_names_of_read_models_are_their_own() -> None:
    names = [projector.name for projector in PROJECTORS]

    assert len(set(names)) == len(names)


def test_what_comes_before_a_poisoned_event_is_kept() -> None:
    good = recorded([REQUEST, BEGUN])
    stray = recorded([BEGUN], stream=good[0].stream.__class__("run", "never-requested"))[0]

    folded = fold(RUN_LIST, [good[0], stray, good[1]], {})

    assert folded.poison is not None
    assert (folded.poison.position, folded.poison.type) == (1, "run.attempt_begun")
    assert "RowMissing" in str(folded.poison)
    assert folded.rows["r1"].status == "PENDING"


MINUTE = str(int(START.timestamp()) // 60)


def test_rows_that_may_be_in_the_table_are_needed() -> None:
    first, second = recorded([REQUEST, BEGUN])

    assert fold(RUN_LIST, [first, second], {}).needed == set(), "a stream that begins has no row yet"
    assert fold(RUN_LIST, [second], {}).needed == {"r1"}
    assert fold(ACTIVITY, [first], {}).needed == {MINUTE}
    assert fold(ACTIVITY, [first], {}, {MINUTE}).needed == set()


def test_an_event_of_no_concern_changes_nothing() -> None:
    folded = fold(RUN_LIST, recorded([REQUEST, ContainerRemoved(attempt=1)]), {})

    assert folded.rows["r1"].last_position == 1
