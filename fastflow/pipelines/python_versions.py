"""Which Python a script asks for: `requires-python` turned into the one version its runs get."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TypeAlias

Version: TypeAlias = tuple[int, ...]

MINORS = range(8, 31)
PATCHES = range(60)
FALLBACK = "3.11"
"""The worker image's Python when its name does not tell."""


def image_python(image: str) -> str:
    """`3.12` of `registry/worker:3.12-slim`, of `uv:python3.12-bookworm` and the like."""
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    found = re.search(r"(?:^|[^\d.])(3\.\d{1,2})(?!\d)", tag)
    return found.group(1) if found else FALLBACK


def allows(specifier: str, version: str) -> bool:
    """Whether `>=3.10,<3.13` allows `3.12`; without a patch any patch will do. Raises ValueError."""
    clauses = [_clause(text) for text in specifier.split(",") if text.strip()]
    asked = release(version)
    patches = asked[2:3] or PATCHES
    return any(all(clause((*asked[:2], patch)) for clause in clauses) for patch in patches)


def chosen(specifier: str, present: str) -> str | None:
    """The version to run under: None for the image's own, else the nearest newer, else the nearest older one.

    Raises ValueError where the specifier is not one, or allows nothing.
    """
    if allows(specifier, present):
        return None
    minor = release(present)[1]
    nearest = sorted(MINORS, key=lambda other: (other < minor, abs(other - minor)))
    for other in nearest:
        if allows(specifier, f"3.{other}"):
            return f"3.{other}"
    raise ValueError(f'"{specifier}" allows no Python 3')


def release(version: str) -> Version:
    """`3.12.1` as numbers."""
    return tuple(int(number) for number in version.split("."))


def _clause(text: str) -> Callable[[Version], bool]:
    found = re.fullmatch(r"\s*(~=|==|!=|<=|>=|<|>)\s*(\d{1,4}(?:\.\d{1,4}){0,2})(\.\*)?\s*", text)
    if found is None or (found.group(3) and found.group(1) not in {"==", "!="}):
        raise ValueError(f'"{text.strip()}" is not a condition such as ">=3.11"')
    comparison, number, star = found.group(1), release(found.group(2)), bool(found.group(3))
    if comparison == "~=":
        if len(number) == 1:
            raise ValueError(f'"{text.strip()}" needs at least two numbers')
        return lambda version: version >= _padded(number) and version[: len(number) - 1] == number[:-1]
    if star:
        wanted = comparison == "=="
        return lambda version: (version[: len(number)] == number) is wanted
    return lambda version: bool(_COMPARISONS[comparison](version, _padded(number)))


def _padded(number: Version) -> Version:
    return (*number, 0, 0)[:3]


_COMPARISONS: dict[str, Callable[[Version, Version], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
