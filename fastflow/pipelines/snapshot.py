"""Immutable copies of a pipeline's files, named by their content: what runs mount read-only at /app."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from fastflow.pipelines.pause import Pause
from fastflow.pipelines.reading import pieces_of
from fastflow.pipelines.tree import Leaf

FORMAT = b"fastflow snapshot 1\n"
BEGUN_PREFIX = ".begun-"
BEGUN_SECONDS_MAX = 3600


class Changed(Exception):
    """The files changed while they were copied; look again."""


class Snapshots:
    """A folder of snapshots; one is complete as soon as it is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def take(self, leaves: tuple[Leaf, ...], pause: Pause) -> str:
        """The snapshot of these files, copied when there is none yet. Raises CannotRead, Changed, OSError."""
        digests = [await _digest(leaf, pause) for leaf in leaves]
        key = _key(leaves, digests)
        if (self.folder / key).is_dir():
            return key
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        begun = Path(tempfile.mkdtemp(prefix=BEGUN_PREFIX, dir=self.folder))
        try:
            for leaf, digest in zip(leaves, digests, strict=True):
                if await _copy(leaf, begun, pause) != digest:
                    raise Changed
            _make_readable(begun)
            _put_in_place(begun, self.folder / key)
        finally:
            shutil.rmtree(begun, ignore_errors=True)
        return key

    def remove_leftovers(self) -> None:
        """Remove what a killed process had begun to copy."""
        with suppress(OSError):
            for begun in self.folder.glob(f"{BEGUN_PREFIX}*"):
                if time.time() - begun.stat().st_mtime > BEGUN_SECONDS_MAX:
                    shutil.rmtree(begun, ignore_errors=True)


def _key(leaves: tuple[Leaf, ...], digests: list[bytes]) -> str:
    whole = hashlib.sha256(FORMAT)
    named = sorted(
        (os.fsencode(leaf.below), leaf.executable, digest)
        for leaf, digest in zip(leaves, digests, strict=True)
    )
    for name, executable, digest in named:
        whole.update(b"%d %s%c%s" % (len(name), name, b"x" if executable else b"-", digest))
    return whole.hexdigest()


async def _digest(leaf: Leaf, pause: Pause) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces_of(leaf.path, leaf.below):
        digest.update(piece)
        await pause()
    return digest.digest()


async def _copy(leaf: Leaf, folder: Path, pause: Pause) -> bytes:
    """Copy one file; the digest of what was copied."""
    target = folder / leaf.below
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as copy:
        for piece in pieces_of(leaf.path, leaf.below):
            digest.update(piece)
            copy.write(piece)
            await pause()
    target.chmod(0o555 if leaf.executable else 0o444)
    return digest.digest()


def _make_readable(begun: Path) -> None:
    """Runs are another user: every folder can be entered, whatever this process's umask is."""
    for path, _, _ in os.walk(begun):
        Path(path).chmod(0o755)


def _put_in_place(begun: Path, target: Path) -> None:
    try:
        begun.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was faster with the same content
            raise
