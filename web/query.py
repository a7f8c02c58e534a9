"""Reads what stands in an address or a header; whatever cannot be meant is refused with a sentence."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from typing import TypeVar

from starlette.requests import Request

from web.errors import Malformed

TEXT_CHARACTERS_MAX = 200
POSITION_MAX = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")

T = TypeVar("T", bound=str)


def run_id(request: Request) -> str:
    """The run's id in the path: a lower-case UUID of 36 characters."""
    text = str(request.path_params["id"])
    try:
        known = str(uuid.UUID(text))
    except ValueError:
        known = ""
    if known != text:
        raise Malformed("This is not a run's id; one looks like 0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42.")
    return text


def text(request: Request, name: str) -> str:
    """A parameter's text, without the space around it; empty when it is not there."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Malformed(f"The parameter {name} is given more than once.")
    value = values[0].strip() if values else ""
    if len(value) > TEXT_CHARACTERS_MAX:
        raise Malformed(f"The parameter {name} is longer than {TEXT_CHARACTERS_MAX} characters.")
    return value


def number(request: Request, name: str, *, least: int = 0, most: int = POSITION_MAX) -> int | None:
    """A parameter's whole number; None when it is not there."""
    value = text(request, name)
    return whole(value, f"The parameter {name}", least=least, most=most) if value else None


def whole(value: str, what: str, *, least: int = 0, most: int = POSITION_MAX) -> int:
    """A whole number within its bounds."""
    if not _DIGITS.fullmatch(value) or not least <= int(value) <= most:
        bounds = f"from {least} to {most}" if most < POSITION_MAX else f"of {least} or more"
        raise Malformed(f"{what} has to be a whole number {bounds}.")
    return int(value)


def choice(request: Request, name: str, known: Collection[T]) -> T | None:
    """A parameter that is one of a few words; None when it is not there."""
    value = text(request, name)
    if not value:
        return None
    for word in known:
        if word == value:
            return word
    raise Malformed(f"The parameter {name} has to be one of: {', '.join(known)}.")


def yes(request: Request, name: str) -> bool:
    """Whether a switch is on: `?all=1`."""
    return choice(request, name, ("0", "1")) == "1"
