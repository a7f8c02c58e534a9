"""The rows of one read model: those in memory, and how they come from its table and go there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar, assert_never

import msgspec

import sql
from projections.projector import Projector
from sql.database import Connection

R = TypeVar("R", bound=msgspec.Struct)


class Rows(Generic[R]):
    """A window on a read model's table for its only writer; forget it when somebody else may have written."""

    def __init__(self, projector: Projector[R]) -> None:
        self.held: OrderedDict[str, R] = OrderedDict()
        self._held_max = projector.rows_held_max
        self._kept_as = projector.kept_as
        self._queries = sql.load(projector.name)
        self._decoder = msgspec.json.Decoder(projector.row)
        self._encoder = msgspec.json.Encoder()

    async def load(self, connection: Connection, keys: Iterable[str]) -> None:
        """Hold the rows of these keys, as far as there are any."""
        for found in await connection.fetch(self._queries.load, list(keys)):
            self.held[found["key"]] = self._decoder.decode(found["row"])

    async def save(self, connection: Connection, rows: Mapping[str, R]) -> None:
        """Write rows to the table, all in one statement."""
        if not rows:
            return
        match self._kept_as:
            case "columns":
                text = self._encoder.encode(list(rows.values())).decode()
                await connection.execute(self._queries.save, text)
            case "document":
                texts = [self._encoder.encode(row).decode() for row in rows.values()]
                await connection.execute(self._queries.save, list(rows), texts)
            case _:
                assert_never(self._kept_as)

    def keep(self, rows: Mapping[str, R]) -> None:
        """Hold rows as they are now."""
        self.held.update(rows)
        for key in rows:
            self.held.move_to_end(key)

    def trim(self) -> None:
        """Let go of the rows that were not touched for longest."""
        while len(self.held) > self._held_max:
            self.held.popitem(last=False)

    def forget(self) -> None:
        """Hold nothing."""
        self.held.clear()
