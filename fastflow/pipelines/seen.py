"""The names of pipelines that were there and are not recorded as gone: what may be lost while nobody looks.

The log knows them too, but reading all of it takes long; this file only saves that. A name too many in it
does no harm, so it is written before a pipeline is recorded and after its loss is.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from events.pipeline import PipelineBroken, PipelineDefined, PipelineGone
from events.store import EventStore

FILE_NAME = ".seen.json"
PAGE_EVENTS = 200


class Seen:
    """A set of names that survives the process."""

    def __init__(self, folder: Path, store: EventStore) -> None:
        self._file = folder / FILE_NAME
        self._store = store
        self._names: set[str] | None = None

    async def names(self) -> frozenset[str]:
        """All names; the first time from the file, without it from the log. Raises Unavailable."""
        if self._names is None:
            names = self._from_file()
            self._names = await self._from_log() if names is None else names
        return frozenset(self._names)

    def add(self, name: str) -> None:
        """It is about to be recorded."""
        if self._names is not None and name not in self._names:
            self._names.add(name)
            self._write()

    def remove(self, name: str) -> None:
        """It is recorded as gone."""
        if self._names is not None and name in self._names:
            self._names.discard(name)
            self._write()

    def _from_file(self) -> set[str] | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=set[str])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    async def _from_log(self) -> set[str]:
        names: set[str] = set()
        types = [kind.type_name() for kind in (PipelineDefined, PipelineBroken, PipelineGone)]
        position = 0
        while page := await self._store.read_control(position, PAGE_EVENTS, types):
            for recorded in page:
                gone = isinstance(recorded.event, PipelineGone)
                (names.discard if gone else names.add)(recorded.stream.key)
            position = page[-1].position
        return names

    def _write(self) -> None:
        """Keep the names; where that fails no file is left, and the log is read instead."""
        begun = self._file.with_suffix(f".{os.getpid()}")
        try:
            self._file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            begun.write_bytes(msgspec.json.encode(sorted(self._names or ())))
            begun.replace(self._file)
        except OSError:
            for file in (begun, self._file):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
