"""The one kind of response that stays open: it pings, ends in time, and lets nobody hold it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
from starlette.types import Message

from events.errors import DatabaseAway
from tests.web.conftest import House
from web import sse
from web.sse import EventStream, message

SCOPE = {"type": "http", "method": "GET", "path": "/live"}


class Browser:
    """Takes what is sent until it leaves."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.bodies: list[bytes] = []
        self.told = asyncio.Condition()
        self.complete = False

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, sent: Message) -> None:
        if sent["type"] == "http.response.body":
            async with self.told:
                self.bodies.append(sent["body"])
                self.complete = not sent["more_body"]
                self.told.notify_all()

    async def heard(self, body: bytes) -> None:
        async with asyncio.timeout(5), self.told:
            await self.told.wait_for(lambda: body in self.bodies)


class Source:
    """Messages made one at a time; knows whether it was closed."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = False

    async def messages(self) -> AsyncGenerator[bytes, None]:
        try:
            while (made := await self.waiting.get()) is not None:
                if isinstance(made, Exception):
                    raise made
                yield made
        finally:
            self.closed = True


async def test_messages_are_sent_as_they_come_and_the_end_ends_it() -> None:
    source, browser = Source(), Browser()
    stream = EventStream(source.messages(), asyncio.Event())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(SCOPE, browser.receive, browser.send))
        source.waiting.put_nowait(b"data: 1\n\n")
        await browser.heard(b"data: 1\n\n")
        source.waiting.put_nowait(None)
    assert browser.bodies == [b"retry: 1000\n\n", b"data: 1\n\n", b""]
    assert browser.complete
    assert source.closed


async def test_silence_is_filled_with_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.01)
    source, browser = Source(), Browser()
    stream = EventStream(source.messages(), asyncio.Event())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stream(SCOPE, browser.receive, browser.send))
        await browser.heard(b": ping\n\n")
        source.waiting.put_nowait(b"data: after\n\n")
        await browser.heard(b"data: after\n\n")
        browser.left.set()
    assert source.closed


async def test_leaving_stopping_and_an_outage_all_close_the_source() -> None:
    for ending in ("left", "closing", "away"):
        source, browser, closing = Source(), Browser(), asyncio.Event()
        stream = EventStream(source.messages(), closing)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream(SCOPE, browser.receive, browser.send))
            source.waiting.put_nowait(b"data: 1\n\n")
            await browser.heard(b"data: 1\n\n")
            if ending == "away":
                source.waiting.put_nowait(DatabaseAway())
            else:
                (browser.left if ending == "left" else closing).set()
        assert source.closed, ending
        assert browser.complete, ending


async def test_being_cancelled_closes_the_source() -> None:
    source, browser = Source(), Browser()
    stream = EventStream(source.messages(), asyncio.Event())
    task = asyncio.create_task(stream(SCOPE, browser.receive, browser.send))
    source.waiting.put_nowait(b"data: 1\n\n")
    await browser.heard(b"data: 1\n\n")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed


async def test_whoever_takes_nothing_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SEND_SECONDS_MAX", 0.2)
    stuck = asyncio.Event()

    def noted(event: str, **_: object) -> None:
        if event == "web.stream_stuck":
            stuck.set()

    monkeypatch.setattr(sse.log, "info", noted)
    await house.pipeline()
    run = await house.started()
    await house.printed(run, *(b"x" * 100_000 for _ in range(200)))
    address = urlsplit(house.address)
    _, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
    path = f"/api/runs/{run}/logs/stream?all=1"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        await stuck.wait()
    writer.transport.abort()


async def test_a_message_is_one_block_of_lines() -> None:
    assert message(["a\nb"], id=7) == b'id: 7\ndata: ["a\\nb"]\n\n'
    assert message({"from": 1}, event="skipped", id=9) == b'event: skipped\nid: 9\ndata: {"from":1}\n\n'
