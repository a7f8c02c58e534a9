"""Server-sent events: one small response that pings, notices who left, and ends when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from events.errors import Unavailable

log = structlog.get_logger()

PING_SECONDS = 15.0
SEND_SECONDS_MAX = 20.0
"""A browser that takes longer to accept one message is gone or stuck; it resumes when it is back."""
RETRY_MILLISECONDS = 1000

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Messages = AsyncGenerator[bytes, None]


def message(data: Any, *, event: str | None = None, id: int | None = None) -> bytes:  # noqa: A002
    """One message; `data` travels as JSON, so it holds no line break (HTML standard, section 9.2)."""
    head = b""
    if event is not None:
        head += b"event: %s\n" % event.encode()
    if id is not None:
        head += b"id: %d\n" % id
    return head + b"data: " + msgspec.json.encode(data) + b"\n\n"


class EventStream(Response):
    """Sends messages as they come, one at a time: what is not taken yet is not made yet."""

    def __init__(self, messages: Messages, closing: asyncio.Event) -> None:
        super().__init__(None, headers=HEADERS)
        del self.headers["content-length"]
        self.messages = messages
        self.closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the messages end, the browser leaves or the program stops."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            async with contextlib.aclosing(self.messages), asyncio.TaskGroup() as tasks:
                over = {tasks.create_task(_left(receive)), tasks.create_task(_closed(self.closing))}
                try:
                    await self._stream(send, over, tasks)
                except Unavailable as away:
                    log.info("web.stream_cut", path=scope["path"], why=str(away))
                except TimeoutError:
                    log.info("web.stream_stuck", path=scope["path"])
                    return  # one who takes nothing would not take a last word either
                finally:
                    for task in over:
                        task.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream(self, send: Send, over: set[asyncio.Task[None]], tasks: asyncio.TaskGroup) -> None:
        await _say(send, b"retry: %d\n\n" % RETRY_MILLISECONDS)
        coming = tasks.create_task(_next(self.messages))
        try:
            while True:
                done, _ = await asyncio.wait(
                    {coming, *over}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if done & over:
                    return
                if not done:
                    await _say(send, b": ping\n\n")
                    continue
                found = coming.result()
                if found is None:
                    return
                if isinstance(found, Unavailable):
                    raise found
                await _say(send, found)
                coming = tasks.create_task(_next(self.messages))
        finally:
            coming.cancel()


async def _next(messages: Messages) -> bytes | Unavailable | None:
    """The next message; an outage comes back as a value, so that it does not end the task group."""
    try:
        return await anext(messages, None)
    except Unavailable as away:
        return away


async def _say(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS_MAX):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _closed(closing: asyncio.Event) -> None:
    await closing.wait()
