"""The PEP 723 block of a script: found by the standard's rule, read with tomllib, values placed in lines."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from typing import Any

from fastflow.pipelines.json_text import Path, Unreadable

STATEMENT_LINES_MAX = 200
"""A statement longer than this is not followed to its end; its findings name its first line."""


@dataclasses.dataclass(frozen=True)
class ScriptBlock:
    """The block's values; line numbers are the script's own."""

    value: dict[str, Any]
    first_line: int
    """Where its `# /// script` stands."""
    text: str

    def line(self, path: Path) -> int | None:
        """The line of the statement that gives the value there, of a list's text where that can be found."""
        for length in range(len(path), 0, -1):
            at = self._statement_lines.get(path[:length])
            if at is not None:
                return self.first_line + at + self._lines_to_item(at, path)
        return self.first_line

    @functools.cached_property
    def _statement_lines(self) -> dict[Path, int]:
        return _statement_lines(self.text)

    def _lines_to_item(self, at: int, path: Path) -> int:
        """Lines between a statement's first and the one that holds this text of a list."""
        item: Any = self.value
        for step in path:
            item = _below(item, step)
        if not isinstance(item, str) or not isinstance(path[-1], int):
            return 0
        lines = self.text.split("\n")[at - 1 : at - 1 + STATEMENT_LINES_MAX]
        quoted = (f'"{item}"', f"'{item}'")
        return next((n for n, line in enumerate(lines) if any(text in line for text in quoted)), 0)


def _below(value: Any, step: str | int) -> Any:
    match value, step:
        case dict(), str():
            return value.get(step)
        case list(), int() if step < len(value):
            return value[step]
        case _:
            return None


def script_block(text: str) -> ScriptBlock | None:
    """The script's block; raises Unreadable where there are two or it is not TOML."""
    blocks = _blocks(text.split("\n"))
    if not blocks:
        return None
    if len(blocks) > 1:
        raise Unreadable(
            f"has a second `# /// script` block (the first is in line {blocks[0][0]})", blocks[1][0]
        )
    first_line, content = blocks[0]
    try:
        return ScriptBlock(tomllib.loads(content), first_line, content)
    except tomllib.TOMLDecodeError as problem:
        within = re.search(r"\(at line (\d+), column \d+\)", str(problem))
        message = re.sub(r" \(at (line.*|end of document)\)", "", str(problem))
        last = content.count("\n")
        line = first_line + (int(within.group(1)) if within else last)
        raise Unreadable(f"the `# /// script` block is not TOML: {message}", line) from None
    except RecursionError:
        raise Unreadable("the `# /// script` block is nested too deeply", first_line) from None


def unclosed_line(text: str) -> int | None:
    """The line of a `# /// script` that no `# ///` closes; the standard ignores it, its writer would not."""
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines, 1) if line == _START]
    return starts[0] if starts and not _blocks(lines) else None


def _blocks(lines: list[str]) -> list[tuple[int, str]]:
    """(line number, content) of every script block.

    The reference regular expression of PEP 723 in one pass: a block is a start, then comment lines up to the
    *last* `# ///` among them.
    """
    blocks: list[tuple[int, str]] = []
    number = 0
    while number < len(lines):
        kind = _ANY_START.fullmatch(lines[number])
        end = number + 1
        while kind and end < len(lines) and (lines[end] == "#" or lines[end].startswith("# ")):
            end += 1
        last = next((at for at in range(end - 1, number + 1, -1) if lines[at] == "# ///"), None)
        if kind is None or last is None:
            number += 1
            continue
        if kind.group(1) == "script":
            content = "".join(f"{line[2:]}\n" for line in lines[number + 1 : last])
            blocks.append((number + 1, content))
        number = last + 1
    return blocks


_START = "# /// script"
_ANY_START = re.compile(r"# /// ([a-zA-Z0-9-]+)")


def _statement_lines(text: str) -> dict[Path, int]:
    """For every table header and key of valid TOML, the line (from 1) its statement begins in."""
    lines = text.split("\n")
    places: dict[Path, int] = {}
    table: tuple[str | int, ...] = ()
    counted: dict[Path, int] = {}
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        length = 1
        if line.startswith("["):
            table = _header(line, counted)
            places.setdefault(table, number + 1)
        elif line and not line.startswith("#"):
            length, given = _statement(lines[number : number + STATEMENT_LINES_MAX])
            for path in _paths(given):
                places.setdefault((*table, *path), number + 1)
        number += length
    return places


def _header(line: str, counted: dict[Path, int]) -> tuple[str | int, ...]:
    names = _only_path(tomllib.loads(line))
    if not line.startswith("[["):
        return _indexed(names, counted)
    counted[names] = counted.get(names, -1) + 1
    return (*names, counted[names])


def _indexed(names: tuple[str, ...], counted: dict[Path, int]) -> tuple[str | int, ...]:
    """`schedules.retry_strategy` after two `[[schedules]]` is `schedules[1].retry_strategy`."""
    for length in range(len(names), 0, -1):
        if names[:length] in counted:
            return (*names[:length], counted[names[:length]], *names[length:])
    return names


def _only_path(value: Any) -> tuple[str, ...]:
    names: list[str] = []
    while isinstance(value, dict | list) and value:
        if isinstance(value, dict):
            name, value = next(iter(value.items()))
            names.append(name)
        else:
            value = value[0]
    return tuple(names)


def _statement(lines: list[str]) -> tuple[int, dict[str, Any]]:
    """How many lines the first statement has, and what it gives."""
    for length in range(1, len(lines) + 1):
        try:
            return length, tomllib.loads("\n".join(lines[:length]))
        except tomllib.TOMLDecodeError:
            continue
    return 1, {}


def _paths(value: Any, path: Path = ()) -> list[Path]:
    match value:
        case dict():
            return [path, *(below for name in value for below in _paths(value[name], (*path, name)))]
        case list():
            return [path, *(below for n, item in enumerate(value) for below in _paths(item, (*path, n)))]
        case _:
            return [path]
