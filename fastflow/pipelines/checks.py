"""What a value may be: small checks that say what is wrong in words, and where."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import json
import math
import re
import zoneinfo
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, TypeAlias, TypeGuard

from fastflow.pipelines.json_text import Path

Check: TypeAlias = Callable[[Any, "Spot"], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a place."""

    path: Path
    message: str
    severity: Literal["error", "warning"]


@dataclasses.dataclass(frozen=True, slots=True)
class Spot:
    """A place in the configuration, and the list that findings go to."""

    findings: list[Finding]
    path: Path = ()

    def at(self, *keys: str | int) -> Spot:
        """A place below."""
        return Spot(self.findings, (*self.path, *keys))

    def error(self, message: str) -> None:
        """It cannot stand."""
        self.findings.append(Finding(self.path, message, "error"))

    def warn(self, message: str) -> None:
        """It can stand, but is probably not meant so."""
        self.findings.append(Finding(self.path, message, "warning"))


def flag(value: Any, spot: Spot) -> None:
    """True or false."""
    if not isinstance(value, bool):
        spot.error(f"must be true or false, not {shown(value)}")


def number(low: float, high: float) -> Check:
    """A number in that range."""

    def check(value: Any, spot: Spot) -> None:
        if not is_number(value) or not low <= value <= high:
            spot.error(f"must be a number from {low:g} to {high:.15g}, not {shown(value)}")

    return check


def whole(low: int, high: int) -> Check:
    """A whole number in that range."""

    def check(value: Any, spot: Spot) -> None:
        if not is_number(value) or value != int(value) or not low <= value <= high:
            spot.error(f"must be a whole number from {low} to {high}, not {shown(value)}")

    return check


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is one, and not true, false, infinite or no number at all."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def text(characters_max: int) -> Check:
    """Text up to a length."""

    def check(value: Any, spot: Spot) -> None:
        if not isinstance(value, str):
            spot.error(f"must be text in quotes, not {kind(value)}")
        elif len(value) > characters_max:
            spot.error(f"must not be longer than {characters_max:,} characters (it has {len(value):,})")

    return check


def word(pattern: str, wording: str) -> Check:
    """Text of one shape; the wording completes "must be …"."""
    shape = re.compile(pattern)

    def check(value: Any, spot: Spot) -> None:
        if not isinstance(value, str) or not shape.fullmatch(value):
            spot.error(f"must be {wording}, not {shown(value)}")

    return check


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: Any, spot: Spot) -> None:
        if value not in words:
            near = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
            hint = f"; did you mean {near[0]}?" if near else ""
            spot.error(f"must be one of {', '.join(words)}, not {shown(value)}{hint}")

    return check


def each(check_item: Check, items_max: int) -> Check:
    """A list, every item checked."""

    def check(value: Any, spot: Spot) -> None:
        if not isinstance(value, list):
            spot.error(f"must be a list, not {kind(value)}")
        elif len(value) > items_max:
            spot.error(f"must not hold more than {items_max:,} items (it has {len(value):,})")
        else:
            for index, item in enumerate(value):
                check_item(item, spot.at(index))

    return check


def table(fields: Mapping[str, Check], required: Collection[str] = ()) -> Check:
    """An object with known fields; a null counts as not given, an unknown name is a warning."""

    def check(value: Any, spot: Spot) -> None:
        if not isinstance(value, dict):
            spot.error(f"must be an object, not {kind(value)}")
            return
        for name in required:
            if value.get(name) is None:
                spot.error(f"needs a field `{name}`")
        for name, item in value.items():
            if name not in fields:
                spot.at(name).warn(f"is not a field{_hint(name, fields)}")
            elif item is not None:
                fields[name](item, spot.at(name))

    return check


def _hint(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)
    near = near or [field for field in known if name.lower() in field.split("_")]
    return f" and is ignored; did you mean `{near[0]}`?" if near else " and is ignored"


def memory(value: Any, spot: Spot) -> None:
    """Bytes, or text such as "512m"."""
    size = memory_bytes(value)
    if size is None:
        spot.error(f'must be bytes or text such as "512m" or "1.5g", not {shown(value)}')
    elif not MEMORY_MIN <= size <= MEMORY_MAX:
        spot.error(f"must be from 6m to 1024t, not {shown(value)}")


MEMORY_MIN = 6 << 20
"""The least a container engine accepts."""
MEMORY_MAX = 1 << 50


def memory_bytes(value: Any) -> int | None:
    """`"512m"`, `"1.5G"`, `"2 GiB"` or a plain number in bytes, units of 1024; None for anything else."""
    if is_number(value):
        return int(value)
    shape = (
        re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kmgt]?)(?:i?b)?", value.strip().lower())
        if isinstance(value, str)
        else None
    )
    if shape is None:
        return None
    return int(float(shape.group(1)) * 1024 ** " kmgt".index(shape.group(2) or " "))


def moment(value: Any, spot: Spot) -> None:
    """A date or a time, ISO 8601; without a zone it is UTC."""
    if as_moment(value) is None:
        spot.error(f'must be a date or time such as "2026-01-31T08:00:00", not {shown(value)}')


def as_moment(value: Any) -> dt.datetime | None:
    """What the text stands for."""
    try:
        at = dt.datetime.fromisoformat(value.strip())
        return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    except (ValueError, AttributeError, OverflowError):
        return None


def time_zone(value: Any, spot: Spot) -> None:
    """A name of the IANA time zone database, where this machine has that."""
    if not isinstance(value, str) or (not _is_time_zone(value) and _is_time_zone("Europe/Berlin")):
        spot.error(f'must be a time zone such as "Europe/Berlin", not {shown(value)}')


def _is_time_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def shown(value: Any) -> str:
    """The value as it may be repeated in a message."""
    if isinstance(value, str):
        quoted = json.dumps(
            value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…", ensure_ascii=False
        )
        return quoted.encode("utf-8", "backslashreplace").decode("utf-8")
    return json.dumps(value) if value is None or isinstance(value, bool) or is_number(value) else kind(value)


_SHOWN_MAX = 40


def kind(value: Any) -> str:
    """What sort of value it is, for values that must not be repeated."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "null"
