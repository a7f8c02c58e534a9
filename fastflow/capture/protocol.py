"""What a script may say to Fast-Flow on stdout, one line each; the lines stay in the log like all others.

`::progress 3/10 Syncing CustomerDB`, `::progress 45%`, `::progress 17`, `::step upload`, `::notice TEXT`,
`::warning TEXT`, `::error TEXT`, `::group TITLE`, `::endgroup`. Anything else is a line and nothing more.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Literal, TypeAlias

LINE_BYTES_MAX = 4096
TEXT_LENGTH_MAX = 200

Level = Literal["notice", "warning", "error"]

_LEVELS: dict[bytes, Level] = {b"notice": "notice", b"warning": "warning", b"error": "error"}

_line = re.compile(rb"::(progress|step|notice|warning|error|group|endgroup)(?:[ \t]+(.*))?\r?", re.DOTALL)
_progress = re.compile(
    r"(?P<done>\d{1,15}(?:\.\d{1,9})?)"
    r"(?:(?P<percent>[ ]?%)|[ ]?/[ ]?(?P<total>\d{1,15}(?:\.\d{1,9})?))?"
    r"(?:[ ]+(?P<text>.*))?",
    re.ASCII,
)
_colours = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far the script is."""

    done: float
    total: float | None
    """None when the script counts without knowing the end; 100 when it said percent."""
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """The step the script begins."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """Something a reader of the log should not miss."""

    level: Level
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class GroupBegun:
    """The lines from here on belong together."""

    title: str


@dataclasses.dataclass(frozen=True, slots=True)
class GroupEnded:
    """The lines after this one no longer belong to the group."""


Said: TypeAlias = Progress | Step | Remark | GroupBegun | GroupEnded


def said(line: bytes) -> Said | None:
    """What a line, without its newline, says to Fast-Flow; None when it is only a line."""
    found = _line.fullmatch(line) if len(line) <= LINE_BYTES_MAX else None
    if found is None:
        return None
    text = readable(found[2] or b"")
    match found[1]:
        case b"progress":
            return _progressed(text)
        case b"step":
            return Step(text) if text else None
        case b"group":
            return GroupBegun(text)
        case b"endgroup":
            return GroupEnded()
        case level:
            return Remark(_LEVELS[level], text)


def readable(text: bytes) -> str:
    """Bytes from outside as one short line of text that any database and page can take."""
    plain = _colours.sub("", text[:LINE_BYTES_MAX].decode("utf-8", "replace"))
    shown = "".join(character if character.isprintable() else " " for character in plain)
    return " ".join(shown.split())[:TEXT_LENGTH_MAX]


def _progressed(text: str) -> Progress | None:
    found = _progress.fullmatch(text)
    if found is None:
        return None
    total = 100.0 if found["percent"] else float(found["total"]) if found["total"] else None
    if total == 0:
        return None
    return Progress(float(found["done"]), total, found["text"] or "")
