"""A run's log for programs: the bytes, pages of lines, searches."""

from __future__ import annotations

from typing import Any

import pytest

from events import chunk
from tests.web.conftest import AT, House

NASTY = [b"plain", b"", b"\xff\xfe\x00nul", b"\x1b[31mred\x1b[0m", b"a\rb", "größe".encode(), b"x" * 70_000]


@pytest.fixture
async def run(house: House) -> str:
    await house.pipeline()
    run = await house.started()
    await house.wrote(
        run, [(chunk.ERR if place % 2 else chunk.OUT, text) for place, text in enumerate(NASTY)]
    )
    await house.finished(run)
    return run


async def test_the_raw_log_is_what_the_script_wrote(house: House, run: str) -> None:
    answer = await house.client.get(f"/api/runs/{run}/logs")
    assert answer.content == b"".join(text + b"\n" for text in NASTY)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert f'filename="sales-{run[:13]}.log"' in answer.headers["content-disposition"]


async def test_lines_and_streams_are_chosen(house: House, run: str) -> None:
    async def raw(query: str) -> bytes:
        return (await house.client.get(f"/api/runs/{run}/logs?{query}")).content

    assert await raw("from=4&count=2") == b"\x1b[31mred\x1b[0m\na\rb\n"
    assert await raw("stream=stderr&count=4") == b"\n\x1b[31mred\x1b[0m\n"
    assert await raw("q=RED") == b"\x1b[31mred\x1b[0m\n"
    assert await raw("q=gr%C3%B6sse") == "größe\n".encode()
    assert await raw("q=nowhere") == b""
    assert await raw("from=100") == b""


async def test_lines_are_told_with_number_stream_and_time(house: House, run: str) -> None:
    page = (await house.client.get(f"/api/runs/{run}/logs?format=json&count=3")).json()
    assert page["total"] == len(NASTY)
    assert page["next"] == 4
    assert page["lines"] == [
        [1, "stdout", AT, "plain"],
        [2, "stderr", AT, ""],
        [3, "stdout", AT, "\ufffd\ufffd\x00nul"],
    ]
    last = (await house.client.get(f"/api/runs/{run}/logs?format=json&from=7")).json()
    assert (last["next"], len(last["lines"])) == (None, 1)


async def test_a_part_of_a_longer_line_says_so(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    await house.wrote(run, [(chunk.OUT_PART, b"begins"), (chunk.OUT, b"ends")])
    page = (await house.client.get(f"/api/runs/{run}/logs?format=json")).json()
    assert page["lines"] == [[1, "stdout", AT, "begins", False], [2, "stdout", AT, "ends"]]
    assert (await house.client.get(f"/api/runs/{run}/logs")).content == b"beginsends\n"


@pytest.fixture
async def long_run(house: House) -> str:
    """40,000 lines, one in 5,000 from stderr."""
    await house.pipeline()
    run = await house.started()
    for start in range(0, 40_000, 10_000):
        numbers = range(start + 1, start + 10_001)
        await house.wrote(run, [(chunk.OUT if n % 5000 else chunk.ERR, b"line %d" % n) for n in numbers])
    return run


async def numbers(house: House, run: str, query: str) -> list[int]:
    page: dict[str, Any] = (await house.client.get(f"/api/runs/{run}/logs?format=json&{query}")).json()
    return [line[0] for line in page["lines"]]


async def test_pages_go_backwards(house: House, long_run: str) -> None:
    assert await numbers(house, long_run, "before=101&count=100") == list(range(1, 101))
    assert await numbers(house, long_run, "before=3&count=100") == [1, 2]
    assert await numbers(house, long_run, "before=40001&count=2") == [39_999, 40_000]
    assert await numbers(house, long_run, "before=1&count=2") == []


async def test_pages_of_a_rare_stream_go_backwards_too(house: House, long_run: str) -> None:
    rare = list(range(5000, 40_001, 5000))
    assert await numbers(house, long_run, "stream=stderr&before=99999&count=3") == rare[-3:]
    assert await numbers(house, long_run, "stream=stderr&before=40000&count=100") == rare[:-1]
    assert await numbers(house, long_run, "stream=stderr&before=5000&count=3") == []
    assert await numbers(house, long_run, "stream=stdout&before=5002&count=2") == [4999, 5001]
    assert await numbers(house, long_run, "stream=stderr&from=1&count=2") == rare[:2]


async def test_a_search_tells_where_and_how_often(house: House, long_run: str) -> None:
    path = f"/api/runs/{long_run}/logs?format=json"
    found = (await house.client.get(f"{path}&q=LINE%20777&numbers=1")).json()
    assert found["numbers"] == [n for n in range(1, 40_001) if str(n).startswith("777")]
    assert (found["total"], found["complete"], found["lines"]) == (len(found["numbers"]), True, [])
    many = (await house.client.get(f"{path}&q=line&numbers=1")).json()
    assert (many["total"], len(many["numbers"]), many["complete"]) == (40_000, 1000, False)
    shown = (await house.client.get(f"{path}&q=line%2040000")).json()
    assert shown["lines"] == [[40_000, "stderr", AT, "line 40000"]]


async def test_a_raw_search_finds_more_than_a_page_of_hits(house: House, long_run: str) -> None:
    answer = await house.client.get(f"/api/runs/{long_run}/logs?q=line%203&count=2500")
    assert answer.content.count(b"\n") == 2500
    assert answer.content.startswith(b"line 3\nline 30\n")


UNMEANT = [
    "from=0",
    "from=x",
    "count=0",
    "stream=both",
    "format=xml",
    "format=json&count=1001",
    "format=json&from=1&before=5",
    "format=json&before=0",
    "q=" + "x" * 201,
    "q=a%0Ab",
]


async def test_a_question_that_cannot_be_meant_is_refused(house: House, run: str) -> None:
    for query in UNMEANT:
        answer = await house.client.get(f"/api/runs/{run}/logs?{query}")
        assert answer.status_code in (400, 422), query
        assert answer.headers["content-type"] == "application/problem+json", query
