"""The run decider under commands and reports in any order, repeated and late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from events.errors import FastFlowError
from events.run import RunEvent, Signal
from fastflow.domain import run as ask
from fastflow.domain.run_rules import RUN
from tests.fastflow.domain.histories import FACTS, LATER, NOON, REQUESTED

TERMINAL = {"run.succeeded", "run.failed", "run.cancelled"}
AFTER_TERMINAL = {"run.container_removed", "run.log_gap_declared"}
FOLLOWS: dict[str, set[str]] = {
    "run.requested": set(),
    "run.attempt_begun": {"run.requested"},
    "run.setup_started": {"run.attempt_begun"},
    "run.setup_finished": {"run.attempt_begun"},
    "run.container_started": {"run.attempt_begun"},
    "run.progressed": {"run.attempt_begun"},
    "run.step_entered": {"run.attempt_begun"},
    "run.cancel_requested": {"run.attempt_begun"},
    "run.timed_out": {"run.container_started"},
    "run.stop_signalled": {"run.cancel_requested", "run.timed_out"},
    "run.log_gap_declared": {"run.attempt_begun"},
    "run.container_exited": {"run.container_started"},
    "run.succeeded": {"run.container_exited"},
    "run.failed": {"run.requested"},
    "run.cancelled": {"run.requested"},
    "run.container_removed": TERMINAL,
}
"""What must have happened before, one of each set: written down without looking at the decider."""
ONCE = {
    "run.requested",
    "run.attempt_begun",
    "run.setup_started",
    "run.container_started",
    "run.cancel_requested",
    "run.timed_out",
    "run.container_exited",
    "run.container_removed",
}

attempts = st.integers(min_value=0, max_value=2)


class RunHistory(RuleBasedStateMachine):
    """One run, and a world that does not keep order."""

    def __init__(self) -> None:
        super().__init__()
        self.state: ask.RunState = RUN.initial
        self.history: list[RunEvent] = []

    @rule(env=st.sampled_from(({}, {"A": "1"})))
    def request(self, env: dict[str, str]) -> None:
        self.handle(ask.RequestRun(msgspec.structs.replace(REQUESTED, env=env)))

    @rule(attempt=st.just(1) | attempts, container=st.sampled_from(("box", "other")))
    def begin(self, attempt: int, container: str) -> None:
        self.handle(ask.BeginAttempt(attempt, container))

    @rule(by=st.sampled_from(("ana", "ben")))
    def cancel(self, by: str) -> None:
        self.handle(ask.CancelRun(by))

    @rule(name=st.sampled_from(sorted(FACTS)), attempt=st.just(1) | attempts)
    def report(self, name: str, attempt: int) -> None:
        self.handle(FACTS[name](attempt))

    @rule(container=st.sampled_from(("c1", "c2")))
    def start(self, container: str) -> None:
        self.handle(ask.RecordStarted(1, container, "sha256:1", NOON))

    @rule(name=st.sampled_from(get_args(Signal)))
    def signal(self, name: Signal) -> None:
        self.handle(ask.RecordStopSignal(1, name))

    @rule(code=st.sampled_from((0, 1, 137, 143)), flags=st.tuples(st.booleans(), st.booleans()))
    def exit(self, code: int, flags: tuple[bool, bool]) -> None:
        self.handle(ask.RecordExit(1, code, flags[0], LATER, 1, 1, engine_restarted=flags[1]))

    @precondition(lambda self: self.history)
    @rule(line=st.integers(0, 3))
    def gap(self, line: int) -> None:
        self.handle(ask.DeclareLogGap(1, "engine_log_damaged", line))

    def handle(self, command: ask.RunCommand) -> None:
        try:
            events: Sequence[RunEvent] = RUN.decide(command, self.state)
        except FastFlowError:
            return
        for event in events:
            self.check(event)
            self.history.append(event)
        self.state = RUN.fold(events, self.state)
        try:
            assert RUN.decide(command, self.state) == (), "said twice, it happens once"
        except FastFlowError:
            assert isinstance(command, ask.CancelRun), "only a cancel may be refused the second time"

    def check(self, event: RunEvent) -> None:
        kind, before = event.type_name(), {e.type_name() for e in self.history}
        assert kind in AFTER_TERMINAL or not before & TERMINAL, "nothing after the end"
        assert not FOLLOWS[kind] or FOLLOWS[kind] & before
        assert kind not in ONCE or kind not in before

    @invariant()
    def history_folds_to_the_state(self) -> None:
        assert RUN.fold(self.history) == self.state

    @invariant()
    def one_end(self) -> None:
        ends = [e for e in self.history if e.type_name() in TERMINAL]
        assert len(ends) == (1 if isinstance(self.state, ask.Over) else 0)


TestRunHistory = RunHistory.TestCase
TestRunHistory.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
