"""Which regular files a pipeline consists of; nothing is followed out of its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from events.pipeline import Problem
from fastflow.pipelines.listing import Place
from fastflow.pipelines.pause import Pause
from fastflow.pipelines.text_files import shown

FILES_MAX = 5_000
BYTES_MAX = 256 << 20
_PROBLEMS_MAX = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """A regular file."""

    below: str
    """Its name below the pipeline's folder, with slashes."""
    path: str
    """Where its content is: not below, where a link leads elsewhere within."""
    size: int
    executable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """All files of a pipeline at one moment."""

    leaves: tuple[Leaf, ...]
    problems: tuple[Problem, ...]
    signature: bytes
    """Differs whenever a file's name, size, mode, times or number differ."""
    changed_nanoseconds: int
    """When the newest of it was changed, by the file system's clock."""
    beside: Leaf | None = None
    """The `NAME.json` beside it, which is no part of its snapshot."""

    def leaf(self, below: str) -> Leaf | None:
        """The file of that name."""
        return next((leaf for leaf in self.leaves if leaf.below == below), None)


async def look(place: Place, pause: Pause) -> Tree:
    """The files of a pipeline, read by `stat` alone; what cannot be taken is a problem."""
    walk = _Walk(place)
    beside = walk.beside()
    for _ in walk.steps():
        await pause()
        if len(walk.leaves) + walk.folders > FILES_MAX:
            walk.refuse("", f"holds more than {FILES_MAX:,} files; keep data elsewhere")
            break
    total = sum(leaf.size for leaf in walk.leaves)
    if total > BYTES_MAX:
        walk.refuse("", f"holds more than {BYTES_MAX >> 20} MiB; keep data elsewhere")
    walk.leaves.sort(key=lambda leaf: leaf.below)
    return Tree(
        leaves=tuple(walk.leaves),
        problems=tuple(walk.problems[:_PROBLEMS_MAX]),
        signature=walk.digest.digest(),
        changed_nanoseconds=walk.changed_nanoseconds,
        beside=beside,
    )


class _Walk:
    """One walk over a pipeline's files, in the order of names."""

    def __init__(self, place: Place) -> None:
        self._place = place
        path = Path(place.path)
        self._outside = os.path.realpath(path.parent)
        self._root = self._outside if place.form == "file" else os.path.realpath(path)
        self.leaves: list[Leaf] = []
        self.problems: list[Problem] = []
        self.digest = hashlib.blake2b(repr(place).encode("utf-8", "surrogatepass"), digest_size=16)
        self.changed_nanoseconds = 0
        self.folders = 0

    def steps(self) -> Iterator[None]:
        """Walk; every step looks at one entry."""
        if self._place.form == "file":
            self._take(self._place.path, Path(self._place.path).name)
            yield
            return
        if not self._root.startswith(f"{self._outside}/"):
            self.refuse("", "is a link to a folder elsewhere, which is not followed")
            return
        waiting = [(self._root, "")]
        while waiting:
            path, below = waiting.pop()
            self.folders += 1
            for entry in self._entries(path, below):
                yield
                name = f"{below}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{name}/"))
                else:
                    self._take(entry.path, name)

    def beside(self) -> Leaf | None:
        """The `NAME.json` beside the file or folder."""
        if self._place.beside is None:
            return None
        name = Path(self._place.beside).name
        return self._leaf(self._place.beside, name, shown(name), self._outside)

    def refuse(self, below: str, message: str) -> None:
        """An error of a file or of the whole pipeline."""
        self._problem(self._shown(below), message)

    def _entries(self, path: str, below: str) -> list[os.DirEntry[str]]:
        """What counts of a folder; nothing of a virtual environment, a cache or what is hidden."""
        try:
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as problem:
            self.refuse(below, f"cannot be read: {problem.strerror}")
            return []
        if any(entry.name == "pyvenv.cfg" for entry in found) and below:
            return []
        return [entry for entry in found if not _left_out(entry.name)]

    def _take(self, path: str, below: str) -> None:
        leaf = self._leaf(path, below, self._shown(below), self._root)
        if leaf:
            self.leaves.append(leaf)

    def _leaf(self, path: str, below: str, name: str, root: str) -> Leaf | None:
        """The regular file there, or what a link within `root` leads to; else None, with a problem."""
        try:
            target, status = self._target(path, below)
        except OSError as problem:
            self._problem(name, f"cannot be read: {problem.strerror}")
            return None
        if target != path and not target.startswith(f"{root}/"):
            self._problem(name, "is a link out of the folder, which is not followed")
        elif stat.S_ISREG(status.st_mode):
            return Leaf(below, target, status.st_size, bool(status.st_mode & 0o111))
        elif stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
            self._problem(name, "is not a file but a folder, or a link to one or to itself")
        else:
            self._problem(name, "is neither a file nor a folder and is left out", "warning")
        return None

    def _target(self, path: str, below: str) -> tuple[str, os.stat_result]:
        """The path itself, or what it links to, and its status."""
        status = os.lstat(path)
        self._note(below, status)
        if not stat.S_ISLNK(status.st_mode):
            return path, status
        target = os.path.realpath(path)
        status = os.lstat(target)
        self._note(below, status)
        return target, status

    def _problem(self, name: str, message: str, severity: Literal["error", "warning"] = "error") -> None:
        self.digest.update(message.encode("utf-8", "replace"))
        self.problems.append(Problem(file=name, message=message, severity=severity))

    def _shown(self, below: str) -> str:
        inside = below and self._place.form == "folder"
        return f"{self._place.shown}/{shown(below)}" if inside else self._place.shown

    def _note(self, below: str, status: os.stat_result) -> None:
        times = (status.st_mtime_ns, status.st_ctime_ns)
        facts = (below, status.st_ino, status.st_mode, status.st_size, *times)
        self.digest.update(repr(facts).encode("utf-8", "surrogatepass"))
        self.changed_nanoseconds = max(self.changed_nanoseconds, status.st_ctime_ns)


def _left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__" or name.endswith((".pyc", ".pyo"))
