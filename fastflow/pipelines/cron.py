"""Whether a text is a cron expression of five fields, told without loading a scheduler."""

from __future__ import annotations

import re
from typing import Any

from fastflow.pipelines.checks import Spot, shown

CHARACTERS_MAX = 200
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def cron(value: Any, spot: Spot) -> None:
    """Minute, hour, day of the month, month, day of the week, as crontab has them."""
    if not is_cron(value):
        spot.error(f'must be five cron fields such as "0 9 * * 1-5", not {shown(value)}')


def is_cron(value: Any) -> bool:
    """Whether it is one: numbers, names, `*`, ranges, steps and lists of these."""
    if not isinstance(value, str) or len(value) > CHARACTERS_MAX:
        return False
    fields = value.lower().split()
    return len(fields) == len(_FIELDS) and all(
        _is_item(item, *bounds)
        for field, bounds in zip(fields, _FIELDS, strict=True)
        for item in field.split(",")
    )


_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, MONTHS),
    (0, 7, WEEKDAYS),
)


def _is_item(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    found = re.fullmatch(
        r"(?:(\*)|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?)(?:/(\d{1,2}))?", item, re.ASCII
    )
    if found is None:
        return False
    star, first, last, step = found.groups()
    ends = [_number(text, low, names) for text in (first, last) if text]
    if not all(low <= end <= high for end in ends) or ends != sorted(ends):
        return False
    return step is None or (1 <= int(step) <= high and bool(star or last))


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    if text.isdigit():
        return int(text)
    return names.index(text) + low if text in names else -1
