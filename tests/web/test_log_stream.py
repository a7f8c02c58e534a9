"""The log, live: every line, from anywhere, for everybody."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.conftest import House, Messages, stream_of


async def read(messages: Messages) -> tuple[list[int], dict[str, object]]:
    """The numbers of all lines until the end, and the end itself."""
    numbers: list[int] = []
    async for message in messages:
        if message.event == "end":
            return numbers, message.data
        assert message.event == "message"
        numbers += [line[0] for line in message.data]
        assert message.id == str(numbers[-1])
    raise AssertionError("the stream was cut")


async def test_a_log_is_followed_to_its_end(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    await house.printed(run, b"one", b"two")
    async with stream_of(house, f"/api/runs/{run}/logs/stream") as messages:
        first = await anext(messages)
        assert (first.event, first.id) == ("message", "2")
        assert [line[3] for line in first.data] == ["one", "two"]
        await house.printed(run, b"three", stream="stderr")
        second = await anext(messages)
        assert second.data[0][:2] == [3, "stderr"]
        await house.finished(run)
        end = await anext(messages)
        assert end.event == "end"
        assert end.data == {"status": "SUCCESS", "reason": None, "exit_code": 0, "lines": 3}


async def test_a_stream_goes_on_after_the_last_line_seen(house: House) -> None:
    await house.pipeline()
    run = await house.done("sales", *(b"line" for _ in range(50)))
    path = f"/api/runs/{run}/logs/stream"
    async with stream_of(house, path, {"last-event-id": "37"}) as messages:
        assert (await read(messages))[0] == list(range(38, 51))
    async with stream_of(house, path, {"last-event-id": "0"}) as messages:
        assert (await read(messages))[0] == list(range(1, 51))
    async with stream_of(house, f"{path}?from=49", {"last-event-id": "49"}) as messages:
        assert (await read(messages))[0] == [50]
    async with stream_of(house, f"{path}?from=49") as messages:
        assert (await read(messages))[0] == [49, 50]
    async with stream_of(house, f"{path}?from=999") as messages:
        assert (await read(messages))[0] == []


async def test_a_stream_cut_anywhere_and_resumed_tells_each_line_once(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    for start in range(0, 200, 10):
        await house.printed(run, *(b"line %d" % n for n in range(start, start + 10)))
    await house.finished(run)
    seen: list[int] = []
    last = ""
    for _ in range(30):
        headers = {"last-event-id": last} if last else {}
        async with stream_of(house, f"/api/runs/{run}/logs/stream", headers) as messages:
            message = await anext(messages)
        if message.event == "end":
            break
        seen += [line[0] for line in message.data]
        last = message.id
    assert seen == list(range(1, 201))


async def test_a_malformed_last_event_id_is_a_bad_request(house: House) -> None:
    await house.pipeline()
    run = await house.done()
    for value in ["x", "-1", "1.5", "", "1 2", "99999999999999999999"]:
        answer = await house.client.get(f"/api/runs/{run}/logs/stream", headers={"last-event-id": value})
        assert answer.status_code == 400, value
        assert "Last-Event-ID" in answer.json()["detail"]


async def test_fifty_viewers_see_every_line(house: House) -> None:
    await house.pipeline()
    run = await house.started()

    async def view(everything: str) -> list[int]:
        async with stream_of(house, f"/api/runs/{run}/logs/stream{everything}") as messages:
            ready.release()
            return (await read(messages))[0]

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        viewers = [tasks.create_task(view("?all=1" if place % 2 else "")) for place in range(50)]
        for _ in viewers:
            await ready.acquire()
        for start in range(0, 400, 20):
            await house.printed(run, *(b"line %d" % n for n in range(start, start + 20)))
        await house.finished(run)
    for viewer in viewers:
        assert viewer.result() == list(range(1, 401))


async def test_a_page_is_told_what_it_is_not_sent_and_a_program_gets_everything(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    async with (
        stream_of(house, f"/api/runs/{run}/logs/stream") as page,
        stream_of(house, f"/api/runs/{run}/logs/stream?all=1") as program,
    ):
        for start in range(0, 20_000, 1000):
            await house.printed(run, *(b"line %d" % n for n in range(start, start + 1000)))
        await house.finished(run)
        everything, _ = await read(program)
        assert everything == list(range(1, 20_001))
        covered: list[int] = []
        sent = 0
        async for message in page:
            if message.event == "end":
                break
            if message.event == "skipped":
                covered += range(message.data["from"], message.data["to"] + 1)
            else:
                covered += [line[0] for line in message.data]
                sent += len(message.data)
            assert message.id == str(covered[-1])
        assert covered == list(range(1, 20_001))
        assert sent < 5000


async def test_a_long_log_behind_us_is_skipped_without_reading_it(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    await house.printed(run, *(b"line" for _ in range(30_000)))
    await house.finished(run)
    async with stream_of(house, f"/api/runs/{run}/logs/stream") as messages:
        skipped = await anext(messages)
        assert (skipped.event, skipped.data) == ("skipped", {"from": 1, "to": 29_500})
        assert skipped.id == "29500"
        numbers, _ = await read(messages)
        assert numbers == list(range(29_501, 30_001))


async def test_a_huge_line_is_a_message_of_its_own(house: House) -> None:
    await house.pipeline()
    run = await house.done("sales", b"small", b"x" * (1 << 20), b"small")
    async with stream_of(house, f"/api/runs/{run}/logs/stream?all=1") as messages:
        sizes = [len((await anext(messages)).data) for _ in range(3)]
        assert sizes == [1, 1, 1]


async def test_a_stream_ends_when_the_server_does(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    async with stream_of(house, f"/api/runs/{run}/logs/stream") as messages:
        await house.printed(run, b"one")
        await anext(messages)
        house.live.close()
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_an_unknown_run_has_no_stream(house: House) -> None:
    path = "/api/runs/0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42/logs/stream"
    answer = await house.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_asking_for_the_head_of_a_stream_opens_none(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    answer = await house.client.head(f"/api/runs/{run}/logs/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
