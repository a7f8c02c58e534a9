"""The texts of a pipeline read into memory: only regular files, only up to a size."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from events.pipeline import Problem
from fastflow.pipelines.listing import Place
from fastflow.pipelines.text_files import shown
from fastflow.pipelines.tree import Leaf, Tree
from fastflow.pipelines.written import Text, Written

SCRIPT_BYTES_MAX = 4 << 20
CONFIGURATION_BYTES_MAX = 128 << 10
REQUIREMENTS_BYTES_MAX = 256 << 10
PIECE_BYTES = 1 << 20


class CannotRead(Exception):
    """A file is there and is not to be had; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read(place: Place, tree: Tree) -> Written:
    """The texts that say what the pipeline is; raises CannotRead."""
    if place.form == "file":
        entry = _text(place, tree.leaves[0], SCRIPT_BYTES_MAX) if tree.leaves else None
        return Written(place.name, "file", place.shown, entry, tuple(_beside(tree)))
    named = (tree.leaf(name) for name in dict.fromkeys(("pipeline.json", f"{place.name}.json")))
    inside = [_text(place, leaf, CONFIGURATION_BYTES_MAX) for leaf in named if leaf]
    script, requirements, notebook = (
        tree.leaf(name) for name in ("main.py", "requirements.txt", "main.ipynb")
    )
    return Written(
        place.name,
        "folder",
        place.shown,
        _text(place, script, SCRIPT_BYTES_MAX) if script else None,
        (*inside, *_beside(tree)),
        _text(place, requirements, REQUIREMENTS_BYTES_MAX) if requirements else None,
        f"{place.shown}/main.ipynb" if notebook else None,
    )


def _beside(tree: Tree) -> Iterator[Text]:
    """The `NAME.json` beside the file or folder."""
    if tree.beside:
        name = shown(tree.beside.below)
        yield Text(name, _content(tree.beside.path, name, CONFIGURATION_BYTES_MAX), "")


def _text(place: Place, leaf: Leaf, bytes_max: int) -> Text:
    name = f"{place.shown}/{shown(leaf.below)}" if place.form == "folder" else place.shown
    return Text(name, _content(leaf.path, name, bytes_max), leaf.below)


def _content(path: str, name: str, bytes_max: int) -> bytes:
    pieces: list[bytes] = []
    for piece in pieces_of(path, name):
        pieces.append(piece)
        if sum(map(len, pieces)) > bytes_max:
            raise CannotRead(Problem(file=name, message=f"is larger than {bytes_max >> 10:,} KiB"))
    return b"".join(pieces)


def pieces_of(path: str, name: str) -> Iterator[bytes]:
    """The file's content; never waits for a pipe and never follows a link. Raises CannotRead."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CannotRead(Problem(file=name, message="is not a regular file"))
            while piece := os.read(descriptor, PIECE_BYTES):
                yield piece
        finally:
            os.close(descriptor)
    except OSError as problem:
        message = f"cannot be read: {problem.strerror}"
        raise CannotRead(Problem(file=name, message=message)) from None
