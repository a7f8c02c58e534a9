"""Things whose last word stands, as the engine's presence: a word is worth an event when it differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from events.system import EngineConnected, EngineLost, EnvironmentFailed, EnvironmentReady
from fastflow.domain.decider import Decider

E = TypeVar("E")


def _standing(same: Callable[[E | None, E], bool]) -> Decider[E, E | None, E]:
    def decide(word: E, last: E | None) -> tuple[E, ...]:
        return () if same(last, word) else (word,)

    def evolve(_: E | None, word: E) -> E:
        return word

    return Decider(None, decide, evolve)


def _same_engine(last: EngineConnected | EngineLost | None, word: EngineConnected | EngineLost) -> bool:
    """An outage is one outage, in whatever words it is reported."""
    return last == word or (isinstance(last, EngineLost) and isinstance(word, EngineLost))


def _same_environment(
    last: EnvironmentReady | EnvironmentFailed | None, word: EnvironmentReady | EnvironmentFailed
) -> bool:
    return last == word


ENGINE: Decider[
    EngineConnected | EngineLost, EngineConnected | EngineLost | None, EngineConnected | EngineLost
] = _standing(_same_engine)

ENVIRONMENT: Decider[
    EnvironmentReady | EnvironmentFailed,
    EnvironmentReady | EnvironmentFailed | None,
    EnvironmentReady | EnvironmentFailed,
] = _standing(_same_environment)
