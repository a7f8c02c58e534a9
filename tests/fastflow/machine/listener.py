"""Somebody at the engine's address who answers as told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

PING = (
    b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\n"
    b"Content-Length: 2\r\n\r\nOK"
)


class Heard:
    """What was asked, whole."""

    def __init__(self) -> None:
        self.head = b""
        self.body = b""


@contextlib.asynccontextmanager
async def listening(socket: Path, *answers: bytes) -> AsyncIterator[Heard]:
    """Answer each request with the next answer, hanging up after it; with none left, say nothing."""
    heard, left = Heard(), list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.head = await reader.readuntil(b"\r\n\r\n")
        heard.body = b""
        if b"chunked" in heard.head:
            while size := int(await reader.readline(), 16):
                heard.body += await reader.readexactly(size)
                await reader.readline()
        if left:
            writer.write(left.pop(0))
            writer.close()
            await writer.wait_closed()
        else:
            await reader.read()
            writer.close()

    async with await asyncio.start_unix_server(serve, socket):
        yield heard
