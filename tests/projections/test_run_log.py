"""Questions on a stored log."""

from __future__ import annotations

import uuid

import pytest

from events.chunk import LogStream
from events.store import EventStore
from fastflow.capture.recorder import Recorder
from fastflow.engine import STDERR, STDOUT, Piece
from projections import run_log
from projections.run_log import ImpossibleSearch

AT = 1_760_000_000_000_000_000


@pytest.fixture
def run() -> str:
    return str(uuid.uuid4())


async def printed(store: EventStore, run: str, pieces: list[Piece]) -> None:
    recorder = await Recorder.resume(store, run, 1)
    await recorder.take(pieces)
    await recorder.finish()


def numbered(count: int) -> list[Piece]:
    """Every tenth line on stderr; enough of them for several chunks."""
    return [
        (STDERR if number % 10 == 0 else STDOUT, AT + number, b"line %d %s\n" % (number, b"." * 80))
        for number in range(1, count + 1)
    ]


async def whole(store: EventStore, run: str, stream: LogStream | None = None, **part: int) -> bytes:
    return b"".join([block async for block in run_log.raw(store, run, stream, **part)])


async def test_a_page_starts_at_any_line_and_says_where_to_go_on(store: EventStore, run: str) -> None:
    await printed(store, run, numbered(3_000))
    page = await run_log.lines(store, run, 1_234, 500)
    assert [line.number for line in page.lines] == list(range(1_234, 1_734))
    assert page.lines[0].text.startswith(b"line 1234 ")
    assert (page.next_line, page.last_line) == (1_734, 3_000)
    rest = await run_log.lines(store, run, 2_990, 500)
    assert (len(rest.lines), rest.next_line) == (11, 3_001)


async def test_a_page_of_one_stream_leaves_the_other_out(store: EventStore, run: str) -> None:
    await printed(store, run, numbered(3_000))
    page = await run_log.lines(store, run, 15, 100, "stderr")
    assert [line.number for line in page.lines] == list(range(20, 1_011, 10))
    assert page.next_line == 1_011
    last = await run_log.lines(store, run, page.next_line, 1_000, "stderr")
    assert (len(last.lines), last.next_line) == (199, 3_001)


@pytest.mark.parametrize("from_line", [4, 5, 10**12])
async def test_beyond_the_end_there_is_an_empty_page(store: EventStore, run: str, from_line: int) -> None:
    await printed(store, run, numbered(3))
    page = await run_log.lines(store, run, from_line, 10)
    assert (page.lines, page.next_line, page.last_line) == ([], from_line, 3)


async def test_a_run_that_printed_nothing_has_an_empty_log(store: EventStore, run: str) -> None:
    page = await run_log.lines(store, run, 1, 10)
    assert (page.lines, page.next_line, page.last_line) == ([], 1, 0)
    assert await whole(store, run) == b""
    assert (await run_log.search(store, run, "x")).total == 0


async def test_a_page_of_very_long_lines_is_cut_short(store: EventStore, run: str) -> None:
    await printed(store, run, [(STDOUT, AT, b"x" * 16_384)] * (64 * 20))
    page = await run_log.lines(store, run, 1, 1_000)
    assert run_log.PAGE_BYTES_MAX < sum(len(line.text) for line in page.lines) < 2 * run_log.PAGE_BYTES_MAX
    assert page.next_line == len(page.lines) + 1 < page.last_line


async def test_raw_is_what_the_script_wrote(store: EventStore, run: str) -> None:
    pieces: list[Piece] = [
        (STDOUT, AT, b"nul \x00 and \xff\xfe\n"),
        (STDERR, AT + 1, b"lone\rreturn\n"),
        (STDOUT, AT + 2, b"\n"),
        *numbered(1_000),
        (STDOUT, AT + 3, b"x" * 16_384),
        (STDERR, AT + 4, b"in between\n"),
        (STDOUT, AT + 3, b"no newline"),
    ]
    await printed(store, run, pieces)
    for stream, number in (("stdout", STDOUT), ("stderr", STDERR)):
        written = b"".join(text for piece_stream, _, text in pieces if piece_stream == number)
        assert await whole(store, run, "stdout" if stream == "stdout" else "stderr") == written
    both = await whole(store, run)
    assert both.startswith(b"nul \x00 and \xff\xfe\nlone\rreturn\n\nline 1 ")
    assert both.endswith(b"in between\n" + b"x" * 16_384 + b"no newline")


async def test_raw_of_some_lines(store: EventStore, run: str) -> None:
    await printed(store, run, numbered(2_000))
    all_lines = (await whole(store, run)).splitlines(keepends=True)
    assert await whole(store, run, from_line=400, count=700) == b"".join(all_lines[399:1_099])
    assert await whole(store, run, from_line=1_999) == b"".join(all_lines[1_998:])
    assert await whole(store, run, from_line=2_001, count=5) == b""


async def test_raw_comes_in_blocks_of_a_chunk(store: EventStore, run: str) -> None:
    await printed(store, run, numbered(5_000))
    sizes = [len(block) async for block in run_log.raw(store, run)]
    assert len(sizes) > 10
    assert max(sizes) < 40_000


@pytest.mark.parametrize(
    ("query", "stream", "numbers"),
    [
        ("LINE 77", None, [77, *range(770, 780)]),
        ("line 77", "stderr", [770]),
        ("line 77", "stdout", [77, *range(771, 780)]),
        ("nothing like it", None, []),
        ("überGRÖSSE", None, [1_002]),
        ("o1", None, []),
        ("\N{REPLACEMENT CHARACTER}", None, [1_003]),
        ("\x1b[31m", None, [1_001]),
    ],
)
async def test_search_finds_lines_in_whatever_case(
    store: EventStore, run: str, query: str, stream: LogStream | None, numbers: list[int]
) -> None:
    await printed(
        store,
        run,
        [
            *numbered(1_000),
            (STDOUT, AT + 2_000, b"\x1b[31mred\x1b[0m\n"),
            (STDOUT, AT + 2_001, "ÜberGröße\n".encode()),
            (STDOUT, AT + 2_002, b"broken \xff\n"),
        ],
    )
    hits = await run_log.search(store, run, query, stream=stream)
    assert [line.number for line in hits.lines] == numbers
    assert hits.total == len(numbers)


async def test_search_counts_all_and_gives_the_first(store: EventStore, run: str) -> None:
    await printed(store, run, numbered(3_000))
    hits = await run_log.search(store, run, "line", limit=7, from_line=100)
    assert [line.number for line in hits.lines] == list(range(100, 107))
    assert hits.total == 2_901


async def test_all_matching_lines_can_be_had_however_many_they_are(store: EventStore, run: str) -> None:
    await printed(store, run, numbered(3_000))
    found = [line async for batch in run_log.matching(store, run, "LINE 2", from_line=3) for line in batch]
    assert [line.number for line in found] == [
        number for number in range(3, 3_001) if str(number).startswith("2")
    ]


@pytest.mark.parametrize("query", ["", "two\nlines", "x" * 201])
async def test_an_impossible_search_is_refused(store: EventStore, run: str, query: str) -> None:
    with pytest.raises(ImpossibleSearch):
        await run_log.search(store, run, query)
