"""JSON read strictly and with places: which line each value stands in, and which words help who wrote it."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import Any, NoReturn, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is: `("schedules", 0, "id")`."""

DEPTH_MAX = 32
NUMBER_MAX = 1 << 53


class Unreadable(Exception):
    """The text is not what it should be; says why and where."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class JsonText:
    """A JSON document: its value, the line of every member and item, and the names given twice."""

    def __init__(self, text: str) -> None:
        """Read it all; raises Unreadable."""
        self._text = text
        self._line_ends = [found.start() for found in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self.repeated: list[Path] = []
        at = self._skip(0)
        if at == len(text):
            raise Unreadable("is empty; write {} or remove the file", 1)
        self.value, end = self._read(at, ())
        end = self._skip(end)
        if end < len(text):
            self._refuse(end, "something follows the closing bracket of the whole")

    def line(self, path: Path) -> int | None:
        """The line of the value there, of its name where it has one; else of what it would be in."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return None

    def _read(self, at: int, path: Path) -> tuple[Any, int]:
        if len(path) > DEPTH_MAX:
            self._refuse(at, f"is nested more than {DEPTH_MAX} deep")
        match self._text[at : at + 1]:
            case "{":
                return self._read_object(at, path)
            case "[":
                return self._read_array(at, path)
            case _:
                return self._read_scalar(at)

    def _read_object(self, at: int, path: Path) -> tuple[dict[str, Any], int]:
        value: dict[str, Any] = {}
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "}":
            if self._text[at : at + 1] != '"':
                self._refuse(at, self._wrong(at, "a name in double quotes"))
            name, end = self._read_scalar(at)
            place = (*path, name)
            if name in value:
                self.repeated.append(place)
            self._lines[place] = self._line_of(at)
            at = self._skip(end)
            if self._text[at : at + 1] != ":":
                self._refuse(at, self._wrong(at, f'a colon after "{name}"'))
            value[name], at = self._read(self._skip(at + 1), place)
            at = self._after_item(at, "}")
        return value, at + 1

    def _read_array(self, at: int, path: Path) -> tuple[list[Any], int]:
        value: list[Any] = []
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "]":
            place = (*path, len(value))
            self._lines[place] = self._line_of(at)
            item, at = self._read(at, place)
            value.append(item)
            at = self._after_item(at, "]")
        return value, at + 1

    def _after_item(self, at: int, closing: str) -> int:
        """The next item's place, or the closing bracket's."""
        at = self._skip(at)
        following = self._text[at : at + 1]
        if following == closing:
            return at
        if following != ",":
            self._refuse(at, self._wrong(at, f"a comma or {closing}"))
        at = self._skip(at + 1)
        if self._text[at : at + 1] == closing:
            self._refuse(at, f"a comma too many before {closing}")
        return at

    def _read_scalar(self, at: int) -> tuple[Any, int]:
        try:
            value, end = _SCALARS.raw_decode(self._text, at)
        except json.JSONDecodeError as problem:
            if self._text[at : at + 1] == '"':
                self._refuse(problem.pos, f"the text is broken here: {problem.msg}")
            self._refuse(at, self._wrong(at, "a value"))
        except ValueError as problem:
            self._refuse(at, str(problem))
        if isinstance(value, str) and not storable(value):
            self._refuse(at, "holds a character no text may hold (NUL or half of a pair)")
        return value, end

    def _skip(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def _wrong(self, at: int, expected: str) -> str:
        rest = self._text[at : at + 16]
        if not rest:
            return f"ends too early; expected {expected}"
        if rest.startswith(("//", "/*", "#")):
            return "JSON has no comments"
        if rest.startswith("'"):
            return "text needs double quotes"
        word = re.match(r"[\w.+-]+|.", rest, re.DOTALL)
        meant = _MISTAKEN_WORDS.get(word.group() if word else "")
        return (
            f"expected {meant}" if meant else f"expected {expected}, not {word.group() if word else rest!r}"
        )

    def _refuse(self, at: int, message: str) -> NoReturn:
        line = self._line_of(at)
        column = at - (self._line_ends[line - 2] if line > 1 else -1)
        raise Unreadable(f"is not JSON: {message} (column {column})", line)

    def _line_of(self, at: int) -> int:
        return bisect_right(self._line_ends, at - 1) + 1


def storable(text: str) -> bool:
    """Whether PostgreSQL can keep it as text."""
    return "\0" not in text and not _HALF_PAIRS.search(text)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or abs(number) > NUMBER_MAX:
        raise ValueError("the number is too large")
    return number


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS_MAX or abs(int(digits)) > NUMBER_MAX:
        raise ValueError("the number is too large")
    return int(digits)


_DIGITS_MAX = 20


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


_SCALARS = json.JSONDecoder(parse_float=_finite, parse_int=_whole, parse_constant=_no_constant)
_BLANK = re.compile(r"[ \t\n\r]*")
_HALF_PAIRS = re.compile("[\ud800-\udfff]")
_MISTAKEN_WORDS = {"True": "true", "False": "false", "None": "null", "yes": "true", "no": "false"}
