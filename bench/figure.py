"""One figure of a benchmark: a JSON line a person and a program can read."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Literal


def report(
    name: str,
    value: float,
    goal: float,
    *,
    better: Literal["lower", "higher"],
    unit: str = "ratio",
    **details: object,
) -> None:
    """Print a figure beside its goal."""
    met = value <= goal if better == "lower" else value >= goal
    line = {"figure": name, "value": round(value, 3), "unit": unit, "goal": goal, "met": met, **details}
    print(json.dumps(line), flush=True)


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
