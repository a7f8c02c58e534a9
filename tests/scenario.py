"""Given these events, when this is asked, then that happens: deciders tested as sentences."""

from __future__ import annotations

import dataclasses
from typing import Generic, TypeVar

import pytest

from events.errors import FastFlowError
from fastflow.domain.decider import Decider

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclasses.dataclass(frozen=True)
class Given(Generic[C, S, E]):
    """A decider and what happened so far."""

    decider: Decider[C, S, E]
    events: tuple[E, ...]

    @property
    def state(self) -> S:
        return self.decider.fold(self.events)

    def when(self, command: C) -> When[C, S, E]:
        return When(self, command)

    def and_then(self, *events: E) -> Given[C, S, E]:
        return Given(self.decider, (*self.events, *events))


@dataclasses.dataclass(frozen=True)
class When(Generic[C, S, E]):
    """A command on top of it."""

    given: Given[C, S, E]
    command: C

    def then(self, *events: E) -> Given[C, S, E]:
        decided = self.given.decider.decide(self.command, self.given.state)
        assert decided == events
        again = self.given.and_then(*decided)
        assert self.given.decider.decide(self.command, again.state) == (), "said twice, it happens once"
        return again

    def then_once(self, *events: E) -> Given[C, S, E]:
        """As `then`, for commands that a second time are refused."""
        assert self.given.decider.decide(self.command, self.given.state) == events
        return self.given.and_then(*events)

    def then_nothing(self) -> None:
        assert self.given.decider.decide(self.command, self.given.state) == ()

    def then_refused(self, error: type[FastFlowError]) -> None:
        with pytest.raises(error) as refused:
            self.given.decider.decide(self.command, self.given.state)
        assert type(refused.value) is error


def given(decider: Decider[C, S, E], *events: E) -> Given[C, S, E]:
    """Begin a scenario."""
    return Given(decider, events)
