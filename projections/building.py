"""One read model on its way through the whole log, into a table beside the one that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from events.errors import Damaged
from projections.following import Following
from projections.log_page import LogPage
from projections.projector import Projector
from projections.rows import Rows
from sql.database import Connection
from sql.faults import fault

R = TypeVar("R", bound=msgspec.Struct)

ROWS_UNWRITTEN_MAX = 2000
"""Changed rows gathered before they are written: most runs are over by then and are written once."""


class RebuildFailed(Damaged):
    """A read model could not be built from the log; the old one goes on serving."""

    def __init__(self, name: str, error: str) -> None:
        super().__init__(error)
        self.name = name


class Writer:
    """The connection that sees the new tables: it writes rows while the next ones are folded."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._writing: asyncio.Task[None] | None = None

    async def write(self, name: str, rows: Rows[R], changed: Mapping[str, R]) -> None:
        """Begin to write, when what was begun before is written; raises RebuildFailed of that."""
        await self.connection()
        self._writing = asyncio.create_task(self._save(name, rows, changed), name="write rows")

    async def connection(self) -> Connection:
        """The connection, when everything is written; raises RebuildFailed."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing
        return self._connection

    async def close(self) -> None:
        """Give up what is not written."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})

    async def _save(self, name: str, rows: Rows[R], changed: Mapping[str, R]) -> None:
        try:
            await rows.save(self._connection, changed)
        except Exception as error:
            if fault(error, self._connection) is None:
                words = f"Rows could not be written: {type(error).__name__}: {error}"
                raise RebuildFailed(name, words) from error
            raise


class Building(Following[R], Generic[R]):
    """A read model, the rows of it that are not written yet, and how far in the log it is."""

    def __init__(self, projector: Projector[R], writer: Writer) -> None:
        super().__init__(projector, 0)
        self._writer = writer
        self._unwritten: dict[str, R] = {}

    async def take(self, page: LogPage) -> None:
        """Project a page, all of it or nothing; raises RebuildFailed, of whichever rows were written."""
        if len(self._unwritten) >= ROWS_UNWRITTEN_MAX:
            await self.write()
        folded = await self.fold(page, self._writer.connection)
        if folded.poison is not None:
            raise RebuildFailed(self.name, str(folded.poison))
        self._unwritten.update(folded.rows)
        self.rows.keep(folded.rows)
        self.position = page.last

    async def write(self) -> None:
        """Begin to write the rows gathered."""
        await self._writer.write(self.name, self.rows, self._unwritten)
        self._unwritten = {}
        self.rows.trim()


AnyBuilding: TypeAlias = Building[Any]
