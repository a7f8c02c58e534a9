"""What in PIPELINES_DIR is a pipeline, by names alone."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Literal

from events.pipeline import Problem
from fastflow.pipelines.fields import NAME_PATTERN, NAME_WORDING
from fastflow.pipelines.pause import Pause
from fastflow.pipelines.text_files import shown

ENTRIES = ("main.py", "main.ipynb")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A file or folder that is a pipeline, or would be one."""

    name: str
    form: Literal["file", "folder"]
    path: str
    beside: str | None = None
    """A `NAME.json` beside it."""
    problem: Problem | None = None
    """Why it is not looked into."""

    @property
    def shown(self) -> str:
        """Its name below the pipelines folder."""
        return shown(Path(self.path).name)


async def places(folder: Path, pause: Pause) -> list[Place]:
    """Every pipeline of the folder, by name; raises OSError where the folder cannot be read.

    Names that begin with a dot or an underscore are not pipelines: they are for what pipelines share. A
    folder without `main.py`, `main.ipynb`, `pipeline.json` and `NAME.json` is none either.
    """
    found: dict[str, Place] = {}
    with os.scandir(folder) as entries:
        names = {entry.name: entry for entry in entries if not entry.name.startswith((".", "_"))}
    for entry in names.values():
        await pause()
        place = _place(entry, names)
        if place is None:
            continue
        other = found.get(place.name)
        found[place.name] = place if other is None else _both(other, place)
    return [found[name] for name in sorted(found)]


def _place(entry: os.DirEntry[str], names: dict[str, os.DirEntry[str]]) -> Place | None:
    try:
        is_folder = entry.is_dir()
    except OSError:
        is_folder = False
    stem, suffix = (entry.name, "") if is_folder else (Path(entry.name).stem, Path(entry.name).suffix)
    if is_folder and not _looks_like_pipeline(entry):
        return None
    if not is_folder and suffix != ".py":
        return None
    beside = names.get(f"{stem}.json")
    place = Place(stem, "folder" if is_folder else "file", entry.path, beside.path if beside else None)
    return place if re.fullmatch(NAME_PATTERN, stem) else _misnamed(place)


def _looks_like_pipeline(folder: os.DirEntry[str]) -> bool:
    if not os.access(folder.path, os.R_OK | os.X_OK):
        return folder.name != "lost+found"  # better a pipeline that cannot be read than one that seems gone
    telling = (*ENTRIES, "pipeline.json", f"{folder.name}.json")
    return any(os.access(f"{folder.path}/{name}", os.F_OK, follow_symlinks=False) for name in telling)


def _misnamed(place: Place) -> Place | None:
    """Shown under a name that can be one, so that nobody wonders where it is."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", place.name)[:64]
    if not re.search(r"[A-Za-z0-9]", name):
        name = f"unnamed_{len(place.name)}"
    message = f"cannot be a pipeline's name: {NAME_WORDING}"
    return dataclasses.replace(place, name=name, problem=Problem(file=place.shown, message=message))


def _both(one: Place, other: Place) -> Place:
    """Two of one name: neither is taken for the other."""
    first, second = sorted((one.shown, other.shown))
    message = f"{first} and {second} are both named {one.name}; rename or remove one"
    return dataclasses.replace(one, problem=Problem(file=first, message=message))
