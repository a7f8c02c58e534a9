"""Text as people's editors leave it: UTF-8, perhaps with a mark in front, with any line ends."""

from __future__ import annotations

from fastflow.pipelines.json_text import Unreadable

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def decoded(content: bytes) -> str:
    """The text, lines ended as on Unix; raises Unreadable with the line of the first wrong byte."""
    if content.startswith(UTF_16_MARKS):
        raise Unreadable("is UTF-16 text; save it as UTF-8", 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise Unreadable(f"is not UTF-8 text: byte {content[problem.start]:#04x}", line) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def shown(name: str) -> str:
    """A file's name as text: bytes that are none become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
