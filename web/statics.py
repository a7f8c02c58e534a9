"""The files of the browser side, read once: an address is either one of these or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


@dataclasses.dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent."""

    body: bytes
    type: str


@dataclasses.dataclass(frozen=True, slots=True)
class Statics:
    """All files by name, under an address that changes with any of them."""

    files: dict[str, StaticFile]
    release: str

    def address(self, name: str) -> str:
        """Where a browser finds a file, and may keep it for ever."""
        return f"/static/{self.release}/{name}"


def read() -> Statics:
    """Every file of a known type."""
    files = {
        path.relative_to(FOLDER).as_posix(): StaticFile(path.read_bytes(), TYPES[path.suffix])
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in TYPES
    }
    digest = hashlib.sha256()
    for name, file in files.items():
        digest.update(name.encode() + b"\0" + file.body + b"\0")
    return Statics(files, digest.hexdigest()[:12])
