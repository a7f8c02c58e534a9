"""The texts of one pipeline, read into memory: what `definition` needs to say what the pipeline is."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A file's content, with its name below the pipelines folder."""

    file: str
    content: bytes
    below_snapshot: str
    """Its name below the snapshot."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """The files of one pipeline that say what it is; other files are only copied."""

    name: str
    form: Literal["file", "folder"]
    place: str
    """The file or folder, below the pipelines folder."""
    entry: Text | None
    """None: there is no script."""
    configurations: tuple[Text, ...] = ()
    """In order of precedence."""
    requirements: Text | None = None
    notebook: str | None = None
    """The notebook's name, where there is one instead of a script."""
