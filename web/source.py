"""A pipeline's source as lines of coloured pieces, by Python's own tokenizer."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Iterator
from functools import lru_cache

SOURCES_KEPT_MAX = 32

Piece = tuple[str, str]
"""(text, class): `k` keyword, `s` string, `c` comment, `n` number, `d` a name being defined, or none."""

_STRINGS = {
    number
    for name, number in vars(tokenize).items()
    if name in ("STRING", "FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
}


@lru_cache(SOURCES_KEPT_MAX)
def highlighted(text: str) -> tuple[tuple[Piece, ...], ...]:
    """The lines of a source; a source that is no Python comes out plain."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        del lines[-1]
    coloured: dict[int, list[tuple[int, int, str]]] = {}
    try:
        for row, start, end, kind in _spans(text, lines):
            coloured.setdefault(row, []).append((start, end, kind))
    except (tokenize.TokenError, SyntaxError):
        pass  # what was coloured before the place it breaks at stays
    return tuple(tuple(_pieces(line, coloured.get(row, []))) for row, line in enumerate(lines))


def _spans(text: str, lines: list[str]) -> Iterator[tuple[int, int, int, str]]:
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = _kind(token, before)
        before = token.string
        if not kind:
            continue
        (first, start), (last, end) = token.start, token.end
        for row in range(first - 1, min(last, len(lines))):
            yield row, start if row == first - 1 else 0, end if row == last - 1 else len(lines[row]), kind


def _kind(token: tokenize.TokenInfo, before: str) -> str:
    if token.type == tokenize.COMMENT:
        return "c"
    if token.type in _STRINGS:
        return "s"
    if token.type == tokenize.NUMBER:
        return "n"
    if token.type == tokenize.NAME:
        return "k" if keyword.iskeyword(token.string) else "d" if before in ("def", "class") else ""
    return ""


def _pieces(line: str, spans: list[tuple[int, int, str]]) -> Iterator[Piece]:
    at = 0
    for start, end, kind in spans:
        if start > at:
            yield line[at:start], ""
        yield line[start:end], kind
        at = end
    if at < len(line):
        yield line[at:], ""
