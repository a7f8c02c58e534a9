"""A door in front of PostgreSQL that a test can shut: the outages that terminating a backend cannot show."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import tempfile
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

PORT = 5432
READ_BYTES = 1 << 16


class Proxy:
    """Passes bytes between clients and the real server until told otherwise."""

    def __init__(self, dsn: str) -> None:
        self._real = dsn
        self._shut = False
        self._lose_answers = False
        self._flow = asyncio.Event()
        self._flow.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._needle = b""
        self._found = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Open the door."""
        self._folder = tempfile.TemporaryDirectory(prefix="ff")
        path = pathlib.Path(self._folder.name) / f".s.PGSQL.{PORT}"
        self._server = await asyncio.start_unix_server(self._carry, path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut it for good."""
        self.cut()
        self._flow.set()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        self._folder.cleanup()

    @property
    def dsn(self) -> str:
        """The real server's database, through this door."""
        real = urlsplit(self._real)
        user = real.username or parse_qs(real.query).get("user", ["postgres"])[0]
        password = f":{quote(real.password)}" if real.password else ""
        return f"postgresql://{user}{password}@/{real.path.lstrip('/')}?host={quote(self._folder.name)}&port={PORT}"

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._shut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let everything pass again."""
        self._shut = False
        self._lose_answers = False
        self._flow.set()

    def freeze(self) -> None:
        """Let nothing pass, and break nothing: what a lost network looks like."""
        self._flow.clear()

    def lose_answers(self) -> None:
        """Let requests pass to the server, and none of its answers back."""
        self._lose_answers = True

    async def request_with(self, needle: bytes) -> None:
        """Wait until a client sends these bytes."""
        self._needle = needle
        self._found.clear()
        await self._found.wait()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._shut:
            writer.transport.abort()
            return
        server_reader, server_writer = await self._connect()
        self._writers |= {writer, server_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, server_writer, answers=False))
                tasks.create_task(self._pump(server_reader, writer, answers=True))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers -= {writer, server_writer}
            for each in (writer, server_writer):
                each.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        real = urlsplit(self._real)
        query = parse_qs(real.query)
        host = real.hostname or query.get("host", ["/var/run/postgresql"])[0]
        port = real.port or int(query.get("port", ["5432"])[0])
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while data := await reader.read(READ_BYTES):
            await self._flow.wait()
            if not answers and self._needle and self._needle in data:
                self._found.set()
            if not (answers and self._lose_answers):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
