"""How the text of each setting is read; a ValueError's words complete the sentence `NAME=value …`."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LOG_LEVELS: tuple[str, ...] = get_args(LogLevel)
KEY_BYTES = 32


def word(text: str) -> str:
    """Anything without spaces."""
    if not re.fullmatch(r"[^\s\x00-\x1f]+", text):
        raise ValueError("holds a space or a control character")
    return text


def folder(text: str) -> Path:
    """A folder that is there, or is not there yet."""
    path = file(text)
    if os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112 - these never raise
        raise ValueError("is not a folder")
    return path


def file(text: str) -> Path:
    """A path, from the working directory on; `~` is the home folder."""
    if "\0" in text:
        raise ValueError("is not a path")
    return Path.cwd() / os.path.expanduser(text)  # noqa: PTH111 - this one never raises


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number in that range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"is not a whole number between {low} and {high}")
        return int(text)

    return parse


def limit(high: int) -> Callable[[str], int | None]:
    """A whole number; 0 stands for none, as in the first Fast-Flow."""
    number = whole(0, high)
    return lambda text: number(text) or None


def yes_or_no(text: str) -> bool:
    """True or false, in the words people use for it."""
    if text.lower() in {"true", "1", "yes", "on"}:
        return True
    if text.lower() in {"false", "0", "no", "off"}:
        return False
    raise ValueError("is neither true nor false")


def level(text: str) -> str:
    """How much the process log says."""
    level = {"warn": "warning", "fatal": "critical"}.get(text.lower(), text.lower())
    if level not in LOG_LEVELS:
        raise ValueError(f"is not one of {', '.join(LOG_LEVELS)}")
    return level


def postgres_url(text: str) -> str:
    """The address of a PostgreSQL server; a driver after the plus sign (SQLAlchemy) is dropped."""
    scheme, found, rest = text.partition("://")
    if not found or scheme.partition("+")[0] not in {"postgresql", "postgres"} or not rest:
        raise ValueError("is not the address of a PostgreSQL server; expected postgresql://user@host/name")
    return f"postgresql://{word(rest)}"


def engine_url(text: str) -> str:
    """A container engine's address."""
    if not re.fullmatch(r"(unix:///|tcp://|http://|https://)[^\s\x00-\x1f]+", text):
        raise ValueError("is not an engine's address; expected unix:///path or tcp://host:port")
    return text


def web_url(text: str) -> str:
    """A web address without a slash at its end."""
    if not re.fullmatch(r"https?://[^\s\x00-\x1f/]+[^\s\x00-\x1f]*", text):
        raise ValueError("is not a web address; expected http://host:port")
    return text.rstrip("/")


def loopback(text: str) -> str:
    """An address only this machine can reach."""
    host = text.removeprefix("[").removesuffix("]")
    if host.lower() == "localhost":
        return "localhost"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise ValueError(
        "is refused: other machines could reach it and there is no login yet; "
        "use 127.0.0.1, ::1 or localhost (and an SSH tunnel from elsewhere)"
    )


def fernet_keys(text: str) -> tuple[str, ...]:
    """One or several Fernet keys, separated by commas or spaces."""
    keys = tuple(re.split(r"[\s,]+", text.strip(", \n")))
    for number, key in enumerate(keys, 1):
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) or len(base64.urlsafe_b64decode(key)) != KEY_BYTES:
            raise ValueError(f"holds as number {number} no Fernet key: 32 bytes in 44 characters of base64")
    return keys
