"""The one shape of every decision: decide, evolve, and the state before anything happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Generic, TypeVar

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclasses.dataclass(frozen=True, slots=True)
class Decider(Generic[C, S, E]):
    """A thing's rules: `decide(command, state) -> events`, `evolve(state, event) -> state`."""

    initial: S
    decide: Callable[[C, S], tuple[E, ...]]
    evolve: Callable[[S, E], S]

    def fold(self, events: Iterable[E], state: S | None = None) -> S:
        """The state after these events, from `state` or from the beginning."""
        return reduce(self.evolve, events, self.initial if state is None else state)
