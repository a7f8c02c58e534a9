"""What the log says about Fast-Flow itself."""

from __future__ import annotations

from events.base import Event
from events.system import ENGINE, PROCESSES, EngineConnected, EngineLost, ProcessStarted, ProcessStopped
from projections.system_state import PROCESSES_KEPT_MAX, SYSTEM_STATE, EngineState, Process, SystemState
from tests.projections.projecting import row_of, second

CONNECTED = EngineConnected(engine_version="20.10", image="worker", image_digest="sha256:1")
WITHOUT_IMAGE = EngineConnected(engine_version="20.10", image="worker", image_digest=None)
LOST = EngineLost(detail="connection refused")
STARTED = ProcessStarted(role="up", release="2.0", host="one")


def engine(*events: Event) -> EngineState:
    state = row_of(SYSTEM_STATE, *events, stream=ENGINE).engine
    assert state is not None
    return state


def processes(*events: Event) -> tuple[Process, ...]:
    return row_of(SYSTEM_STATE, *events, stream=PROCESSES).processes


def test_an_engine_that_answers_is_connected_since_it_first_did() -> None:
    assert engine(CONNECTED, CONNECTED) == EngineState(
        connected=True, since=second(1), version="20.10", image="worker", image_digest="sha256:1"
    )


def test_a_lost_engine_says_since_when_and_why() -> None:
    state = engine(CONNECTED, LOST, EngineLost(detail="no such file"))

    assert (state.connected, state.since, state.detail) == (False, second(2), "no such file")
    assert (state.version, state.image_digest) == ("20.10", "sha256:1")


def test_an_engine_may_be_lost_before_it_ever_answered() -> None:
    assert engine(LOST) == EngineState(connected=False, since=second(1), detail="connection refused")


def test_an_engine_that_came_back_is_connected_since_then() -> None:
    state = engine(CONNECTED, LOST, CONNECTED)

    assert (state.connected, state.since, state.detail) == (True, second(3), "")


def test_a_missing_image_is_missing_since_it_was_first_missed() -> None:
    assert engine(CONNECTED, WITHOUT_IMAGE, LOST, WITHOUT_IMAGE).image_missing_since == second(2)
    assert engine(WITHOUT_IMAGE, CONNECTED).image_missing_since is None


def test_processes_are_listed_with_their_end() -> None:
    other = ProcessStarted(role="work", release="2.0", host="two")
    stopped = ProcessStopped(role="up", host="one")

    assert processes(STARTED, other, stopped) == (
        Process(role="up", host="one", release="2.0", started_at=second(1), stopped_at=second(3)),
        Process(role="work", host="two", release="2.0", started_at=second(2)),
    )


def test_a_process_started_again_after_a_crash_is_listed_once() -> None:
    [process] = processes(STARTED, STARTED)

    assert (process.started_at, process.stopped_at) == (second(2), None)


def test_only_the_latest_processes_are_kept() -> None:
    many = [ProcessStarted(role="up", release="2.0", host=f"host-{n}") for n in range(PROCESSES_KEPT_MAX + 5)]

    kept = processes(*many)

    assert (len(kept), kept[-1].host) == (PROCESSES_KEPT_MAX, many[-1].host)


def test_nothing_is_known_of_a_system_that_never_ran() -> None:
    assert SystemState().engine is None
