"""A log's lines as pages and programs read them; only the raw log has the bytes themselves."""

from __future__ import annotations

import re
from typing import Any

from events.chunk import Line

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?|[\x80-\x9f]"
)
_CONTROLS = {code: 0x2400 + code for code in range(32) if code not in (9, 13)} | {127: 0x2421}
WORDS_MAX = 4000


def told(line: Line) -> list[Any]:
    """`[number, stream, milliseconds, text]`; a fifth, `false`: its newline is not the script's own.

    The text is UTF-8 with replacements, and JSON escapes whatever a terminal would act on.
    """
    fields = [line.number, line.stream, line.at, line.text.decode("utf-8", "replace")]
    return fields if line.newline else [*fields, False]


def plain(line: Line) -> str:
    """What a terminal without colours would show of it, shortened, with control characters as pictures."""
    text = line.text.decode("utf-8", "replace").removesuffix("\r")
    text = _SEQUENCES.sub("", text).rpartition("\r")[2].translate(_CONTROLS)
    return text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]}…"
