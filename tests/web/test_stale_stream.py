"""One stream a page: it names what went stale, resumes where it was, and ends with the server."""

from __future__ import annotations

import re

import pytest

from events import run as runs
from events.run import Progressed
from tests.web.conftest import House, stream_of


def mark_of(text: str) -> str:
    (mark,) = re.findall(r'data-mark="([^"]+)"', text)
    return str(mark)


async def test_a_page_is_told_what_changed_since_it_was_rendered(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    mark = mark_of((await house.client.get(f"/runs/{run}")).text)
    await house.tell(runs.stream(run), Progressed(attempt=1, done=1))
    path = f"/live?after={mark}&topic=run-{run}&topic=system"
    async with stream_of(house, path) as messages:
        missed = await anext(messages)
        assert (missed.event, missed.data) == ("stale", [f"run-{run}"])
        await house.tell(runs.stream(run), Progressed(attempt=1, done=2))
        told = await anext(messages)
        assert told.data == [f"run-{run}"]
        assert told.id != missed.id


async def test_a_stream_resumes_where_it_was(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    path = f"/live?after={house.live.mark()}&topic=runs&topic=run-{run}"
    async with stream_of(house, path) as messages:
        await house.tell(runs.stream(run), Progressed(attempt=1, done=1))
        told = await anext(messages)
    await house.pipeline("other")
    async with stream_of(house, path, {"last-event-id": told.id}) as messages:
        await house.tell(runs.stream(run), Progressed(attempt=1, done=2))
        again = await anext(messages)
        assert set(again.data) == {"runs", f"run-{run}"}


async def test_whoever_comes_from_another_process_is_told_everything(house: House) -> None:
    async with stream_of(house, "/live?after=elsewhere.7&topic=runs&topic=system") as messages:
        assert (await anext(messages)).data == ["runs", "system"]


async def test_a_page_of_another_release_is_told_to_reload(house: House) -> None:
    path = f"/live?after={house.live.mark()}&topic=runs&release=older"
    async with stream_of(house, path) as messages:
        assert (await anext(messages)).event == "reload"
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_many_changes_are_few_messages(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    path = f"/live?after={house.live.mark()}&topic=run-{run}"
    async with stream_of(house, path) as messages:
        for number in range(200):
            await house.store.append(runs.stream(run), [Progressed(attempt=1, done=number)], expected=None)
        await house.finished(run)
        house.live.close()
        assert len([message async for message in messages]) < 50


async def test_streams_end_with_the_server(house: House) -> None:
    async with stream_of(house, f"/live?after={house.live.mark()}&topic=runs") as messages:
        house.live.close()
        with pytest.raises(StopAsyncIteration):
            await anext(messages)
    assert house.live.pages == set()


async def test_a_page_that_leaves_is_forgotten(house: House) -> None:
    await house.pipeline()
    mark = house.live.mark()
    async with stream_of(house, f"/live?after={mark}&topic=runs") as messages:
        await house.requested()
        await anext(messages)
        assert len(house.live.pages) == 1
    async with stream_of(house, f"/live?after={mark}&topic=runs") as messages:
        await anext(messages)
        assert len(house.live.pages) == 1


async def test_a_stream_without_sense_is_a_bad_request(house: House) -> None:
    mark = house.live.mark()
    many = "&topic=x" * 33
    for query in (
        f"after={mark}",
        "topic=runs",
        "topic=runs&after=x",
        f"after={mark}{many}",
        f"after={mark}&topic=",
    ):
        answer = await house.client.get(f"/live?{query}")
        assert answer.status_code == 400, query
    answer = await house.client.get(f"/live?after={mark}&topic=runs", headers={"last-event-id": "nonsense"})
    assert answer.status_code == 400


async def test_there_is_a_limit_to_open_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.live.PAGES_MAX", 0)
    answer = await house.client.get(f"/live?after={house.live.mark()}&topic=runs")
    assert answer.status_code == 503
