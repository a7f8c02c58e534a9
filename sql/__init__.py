"""Every statement and migration, and the only door to PostgreSQL."""

from __future__ import annotations

import functools
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent

_BLOCK = re.compile(
    r"^-- name: (?P<name>[a-z_0-9]+)\n(?P<text>.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL
)


class Queries:
    """The named statements of one file, each an attribute."""

    def __init__(self, name: str, blocks: dict[str, str]) -> None:
        self.name = name
        self.blocks = blocks

    def __getattr__(self, block: str) -> str:
        """The text of one statement."""
        try:
            return self.blocks[block]
        except KeyError:
            raise AttributeError(f"sql/queries/{self.name}.sql has no block {block!r}") from None


@functools.cache
def load(name: str) -> Queries:
    """Read `sql/queries/<name>.sql`: blocks of `-- name: x`, a sentence as a comment, and one statement."""
    text = (FOLDER / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    return Queries(name, {found["name"]: found["text"].strip() for found in _BLOCK.finditer(text)})
