"""A Unix socket in front of the daemon's that cuts connections or never answers, as proxies do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

DAEMON = "/var/run/docker.sock"


class Proxy:
    """Passes bytes both ways; after `bytes_max` bytes of one answer its connection is cut."""

    def __init__(self, cuts: Iterator[int | None]) -> None:
        self.connections = 0
        self.cut = 0
        self._cuts = cuts
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        daemon_reader, daemon_writer = await asyncio.open_unix_connection(DAEMON)
        asking = asyncio.create_task(_pass(reader, daemon_writer, None))
        try:
            self.cut += not await _pass(daemon_reader, writer, next(self._cuts, None))
        except asyncio.CancelledError:
            self.cut += 1
        finally:
            asking.cancel()
            self._tasks.remove(task)
            for one in (writer, daemon_writer):
                one.close()

    def opened(self, connections: int) -> bool:
        """Whether there have been as many connections."""
        return self.connections >= connections

    def cut_newest(self) -> None:
        """Cut the connection opened last."""
        self._tasks[-1].cancel()

    def cut_all(self) -> None:
        """Cut every open connection now."""
        for task in self._tasks:
            task.cancel()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_max: int | None) -> bool:
    passed = 0
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(4096):
            passed += len(block)
            if bytes_max is not None and passed > bytes_max:
                writer.write(block[: max(bytes_max - passed, -len(block))])
                return False
            writer.write(block)
            await writer.drain()
    return True


@contextlib.asynccontextmanager
async def cutting(folder: Path, *cuts: int | None) -> AsyncIterator[tuple[str, Proxy]]:
    """An address for DOCKER_HOST, and the proxy behind it."""
    proxy = Proxy(iter(cuts))
    server = await asyncio.start_unix_server(proxy.serve, folder / "proxy.sock")
    async with server:
        yield f"unix://{folder / 'proxy.sock'}", proxy
        proxy.cut_all()


@contextlib.asynccontextmanager
async def answering(folder: Path, answer: bytes | None) -> AsyncIterator[str]:
    """A daemon that says the same to everything, or accepts and never says anything."""
    silent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await silent.wait()
        else:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / "daemon.sock")
    async with server:
        yield f"unix://{folder / 'daemon.sock'}"
        silent.set()
