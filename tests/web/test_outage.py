"""The database goes away and comes back: pages say so and since when, nothing breaks, everything recovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from events import run as runs
from events.run import Progressed
from events.store import EventStore
from events.wake import Wake
from fastflow.settings import Settings
from sql.database import Database
from tests.proxy import Proxy
from tests.web.conftest import House, opened, stream_of

SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture
async def door(dsn: str) -> AsyncIterator[Proxy]:
    async with Proxy(dsn) as door:
        yield door


@pytest.fixture
async def house(door: Proxy, settings: Settings) -> AsyncIterator[House]:
    database = await Database.open(door.dsn)
    try:
        async with (
            Wake(database) as wake,
            EventStore(database, wake) as store,
            opened(database, wake, store, settings) as house,
        ):
            yield house
    finally:
        await database.close()


async def answered(house: House, path: str, status: int) -> httpx.Response:
    """The first answer with this status; a pool may hold connections that do not know yet."""
    async with asyncio.timeout(10):
        while True:
            answer = await house.client.get(path)
            if answer.status_code == status:
                return answer


async def test_pages_and_health_say_since_when_and_recover(house: House, door: Proxy) -> None:
    await house.engine()
    await house.pipeline()
    run = await house.done("sales", b"one")
    door.cut()
    health = (await answered(house, "/health", 503)).json()
    assert health["parts"]["database"]["status"] == "away"
    assert health["parts"]["database"]["since"]
    assert health["parts"]["engine"]["status"] == "unknown"
    assert (await house.client.get("/livez")).status_code == 200
    for path in ("/", "/runs", "/pipelines/sales", f"/runs/{run}", f"/runs/{run}/logs"):
        answer = await house.client.get(path)
        assert answer.status_code == 503, path
        assert "Database away since" in answer.text
        assert 'http-equiv="refresh"' in answer.text
    for path in (
        "/api/runs",
        f"/api/runs/{run}",
        f"/api/runs/{run}/logs",
        f"/api/runs/{run}/logs/stream",
        "/api/events",
    ):
        answer = await house.client.get(path)
        assert answer.status_code == 503, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"]
    refused = await house.client.post("/api/pipelines/sales/run")
    assert refused.status_code == 503
    door.mend()
    await answered(house, "/health", 200)
    assert (await house.client.get(f"/runs/{run}")).status_code == 200
    assert (await house.client.post("/api/pipelines/sales/run")).status_code == 202


async def test_an_open_page_is_told_of_the_outage_and_of_all_it_missed(house: House, door: Proxy) -> None:
    await house.pipeline()
    run = await house.started()
    path = f"/live?after={house.live.mark()}&topic=system&topic=run-{run}"
    async with stream_of(house, path) as messages:
        door.cut()
        assert (await anext(messages)).data == ["system"]
        door.mend()
        told: set[str] = set()
        while told != {"system", f"run-{run}"}:
            told |= set((await anext(messages)).data)
        await house.tell(runs.stream(run), Progressed(attempt=1, done=1))
        assert f"run-{run}" in (await anext(messages)).data


async def test_a_log_stream_that_is_cut_by_an_outage_is_resumed_without_loss(
    house: House, door: Proxy
) -> None:
    await house.pipeline()
    run = await house.started()
    path = f"/api/runs/{run}/logs/stream?all=1"
    seen: list[int] = []
    async with stream_of(house, path) as messages:
        await house.printed(run, b"one", b"two")
        seen += [line[0] for line in (await anext(messages)).data]
        door.cut()
        await answered(house, "/health", 503)
    door.mend()
    await answered(house, f"/api/runs/{run}", 200)
    await house.printed(run, b"three")
    await house.finished(run)
    async with stream_of(house, path, {"last-event-id": str(seen[-1])}) as messages:
        async for message in messages:
            if message.event == "end":
                break
            seen += [line[0] for line in message.data]
    assert seen == [1, 2, 3]
