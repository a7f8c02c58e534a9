"""One read model on its way through the whole log, into a table beside the one that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Generic, Self, TypeAlias, TypeVar

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


WRITES_AHEAD_MAX = 4

Write: TypeAlias = tuple[str, Rows[Any], Mapping[str, Any]]
"""A read model's name, its rows, and those of them to write."""


class RebuildFailed(Damaged):
    """A read model could not be built from the log; the old one goes on serving."""

    def __init__(self, name: str, error: str) -> None:
        super().__init__(error)
        self.name = name


class Writer:
    """The connection that sees the new tables: it writes rows, in order, while the next ones are folded."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._writes: asyncio.Queue[Write] = asyncio.Queue(WRITES_AHEAD_MAX)
        self._errors: list[Exception] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to write what is handed in."""
        self._task = asyncio.create_task(self._run(), name="write rows")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give up what is not written."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def write(self, name: str, rows: Rows[R], changed: Mapping[str, R]) -> None:
        """Hand in rows, when there is room; raises what went wrong with earlier ones."""
        self._complain()
        await self._writes.put((name, rows, changed))

    async def connection(self) -> Connection:
        """The connection, when everything is written; raises RebuildFailed."""
        await self._writes.join()
        self._complain()
        return self._connection

    def _complain(self) -> None:
        if self._errors:
            raise self._errors.pop(0)

    async def _run(self) -> None:
        while True:
            name, rows, changed = await self._writes.get()
            try:
                await rows.save(self._connection, changed)
            except Exception as error:  # noqa: BLE001  raised where the next rows are handed in
                words = f"Its rows do not fit its table: {type(error).__name__}: {error}"
                lost = fault(error, self._connection) is not None
                self._errors.append(error if lost else RebuildFailed(name, words))
            self._writes.task_done()


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
