"""The few questions setting up has for the engine, over plain asyncio.

The engine's real door is `fastflow.engine.docker`; this one is for before there is an engine, and imports
nothing that takes long, so that a start on a machine with everything in place stays short.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from fastflow.machine.command import MachineNotReady

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_ANSWER_BYTES_MAX: Final = 64 << 20
_PING_SECONDS: Final = 5.0
_QUESTION_SECONDS: Final = 30.0
_STREAM_LIMIT_BYTES: Final = 1 << 20

Silence: TypeAlias = Literal["absent", "refused", "forbidden", "silent"]
"""No such address; nobody behind it; not for this user; no answer in time."""

Query: TypeAlias = Sequence[tuple[str, str]]


class EngineSilent(Exception):
    """The engine did not answer; the argument is a Silence."""

    def __init__(self, silence: Silence) -> None:
        super().__init__(silence)
        self.silence: Silence = silence


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the engine answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def error(self) -> str:
        """The engine's words when it failed, also in the middle of a progress report; else nothing."""
        lines = [_object(line) for line in self.body.splitlines() if line.startswith(b"{")]
        told = [
            str(line.get("error") or line.get("message"))
            for line in lines
            if "error" in line or "message" in line
        ]
        if told:
            return told[-1].strip().splitlines()[-1]
        return f"status {self.status}" if self.status >= 400 else ""  # noqa: PLR2004 - HTTP's own number


class EngineApi:
    """The engine at one address."""

    def __init__(self, host: str) -> None:
        self.host = host
        scheme, _, self._rest = host.partition("://")
        if scheme not in {"unix", "tcp", "http", "https"} or not self._rest:
            raise MachineNotReady(f"DOCKER_HOST must be unix:///path or tcp://host:port, not {host!r}")
        self._secure = scheme == "https" or os.environ.get("DOCKER_TLS_VERIFY") == "1"
        self._unix = scheme == "unix"

    async def ping(self) -> Answer:
        """Ask whether the engine is there. Raises EngineSilent."""
        return await self._exchange("GET", "/_ping", (), None, _PING_SECONDS, _PING_SECONDS)

    async def get(self, path: str) -> Answer:
        """Ask for one thing. Raises MachineNotReady."""
        return await self.ask("GET", path, seconds=_QUESTION_SECONDS)

    async def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: AsyncIterator[bytes] | None = None,
        *,
        seconds: float,
        silence_seconds: float | None = None,
    ) -> Answer:
        """Ask for something that takes its time: at most so long, and never so long without a sign."""
        try:
            return await self._exchange(method, path, query, body, seconds, silence_seconds or seconds)
        except EngineSilent as away:
            raise MachineNotReady(f"The container engine at {self.host} stopped answering ({away})") from None

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Query,
        body: AsyncIterator[bytes] | None,
        seconds: float,
        silence_seconds: float,
    ) -> Answer:
        try:
            async with asyncio.timeout(seconds), self._connected() as (reader, writer):
                target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
                writer.write(_head(method, target, with_body=body is not None))
                if body is not None:
                    await _send(writer, body)
                return await _answer(reader, silence_seconds)
        except FileNotFoundError:
            raise EngineSilent("absent") from None
        except PermissionError:
            raise EngineSilent("forbidden") from None
        except TimeoutError:
            raise EngineSilent("silent") from None
        except (OSError, EOFError, ValueError, ssl.SSLError):
            raise EngineSilent("refused") from None

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if self._unix:
            opened = asyncio.open_unix_connection(self._rest, limit=_STREAM_LIMIT_BYTES)
        else:
            url = urllib.parse.urlsplit(f"//{self._rest}")
            port = url.port or (2376 if self._secure else 2375)
            context = _certificates() if self._secure else None
            opened = asyncio.open_connection(url.hostname, port, ssl=context, limit=_STREAM_LIMIT_BYTES)
        reader, writer = await opened
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _head(method: str, target: str, *, with_body: bool) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: engine", "Connection: close"]
    if with_body:
        lines += ["Content-Type: application/x-tar", "Transfer-Encoding: chunked"]
    elif method == "POST":
        lines += ["Content-Length: 0"]
    return "\r\n".join([*lines, "", ""]).encode()


async def _send(writer: asyncio.StreamWriter, body: AsyncIterator[bytes]) -> None:
    # An engine that has heard enough answers and hangs up: its answer says why.
    with contextlib.suppress(ConnectionError):
        async for piece in body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _answer(reader: asyncio.StreamReader, silence_seconds: float) -> Answer:
    async with asyncio.timeout(silence_seconds):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    _, status, *_ = f"{head[0]} - -".split()
    body = bytearray()
    async for piece in _pieces(reader, headers, silence_seconds):
        body += piece
        if len(body) > _ANSWER_BYTES_MAX:
            raise ValueError("too much")
    return Answer(int(status), headers, bytes(body))


async def _pieces(
    reader: asyncio.StreamReader, headers: dict[str, str], silence_seconds: float
) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await asyncio.wait_for(reader.readline(), silence_seconds), 16):
            piece = await asyncio.wait_for(reader.readexactly(size + 2), silence_seconds)
            yield piece[:-2]
    elif "content-length" in headers:
        yield await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), silence_seconds)
    else:
        while piece := await asyncio.wait_for(reader.read(_STREAM_LIMIT_BYTES), silence_seconds):
            yield piece


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _certificates() -> ssl.SSLContext:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or "~/.docker").expanduser()
    try:
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise MachineNotReady(
            f"The engine's certificates in {folder} cannot be read: {error.strerror}"
        ) from None
    return context
