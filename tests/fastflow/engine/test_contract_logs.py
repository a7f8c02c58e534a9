"""What every engine's logs must be; the double and Docker are held to the same words."""

from __future__ import annotations

import base64

import pytest

from fastflow.engine import (
    STDERR,
    STDOUT,
    Engine,
    Piece,
)
from tests.fastflow.engine.jobs import job
from tests.fastflow.engine.watching import DEADLINE_SECONDS, finished, printed, running, text

FULL = 16_384


async def test_both_streams_are_told_apart_and_every_line_has_its_time(engine: Engine) -> None:
    made = job(DOUBLE_LINES="3", DOUBLE_ERROR_LINES="2")
    ended, pieces = await finished(engine, made)
    assert text(pieces) == b"line 1\nline 2\nline 3\n"
    assert text(pieces, STDERR) == b"line 1\nline 2\n"
    assert ended.finished_at is not None
    for stream in (STDOUT, STDERR):
        times = [at for number, at, _ in pieces if number == stream]
        assert times == sorted(times)
        assert abs(times[0] / 1e9 - ended.finished_at.timestamp()) < DEADLINE_SECONDS


async def test_a_follow_shows_lines_while_the_script_runs_and_ends_with_it(engine: Engine) -> None:
    made = job(DOUBLE_LINES="2", DOUBLE_HOLD="1")
    async with running(engine, made):
        log = aiter(engine.logs(made.name, 0, follow=True))
        seen: list[Piece] = []
        while len(seen) < 2:
            seen.extend(await anext(log))
        await engine.signal(made.name, "TERM")
        assert [batch async for batch in log] == []
        assert await printed(engine, made.name) == seen


async def test_a_log_resumes_at_any_time_inclusively(engine: Engine) -> None:
    made = job(DOUBLE_LINES="500")
    async with running(engine, made):
        await engine.wait(made.name)
        whole = await printed(engine, made.name)
        assert len(whole) == 500
        for index in (0, 1, 250, 499):
            since = whole[index][1]
            expected = [piece for piece in whole if piece[1] >= since]
            assert await printed(engine, made.name, since) == expected
            assert await printed(engine, made.name, since, follow=True) == expected
        assert await printed(engine, made.name, whole[-1][1] + 1) == []


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        (b"no newline at the end", [b"no newline at the end"]),
        (b"\x00nul\n\xff\xfe not utf-8\n", [b"\x00nul\n", b"\xff\xfe not utf-8\n"]),
        (b"10 %\r20 %\r\x1b[31mred\x1b[0m\n\n", [b"10 %\r20 %\r\x1b[31mred\x1b[0m\n", b"\n"]),
        (
            b"x" * 40_000 + b"\nnext\n",
            [b"x" * FULL, b"x" * FULL, b"x" * (40_000 - 2 * FULL) + b"\n", b"next\n"],
        ),
        (b"y" * (FULL - 1) + b"\nnext\n", [b"y" * (FULL - 1) + b"\n", b"next\n"]),
        (b"z" * FULL + b"\nnext\n", [b"z" * FULL, b"\n", b"next\n"]),
        (b"z" * (FULL + 1) + b"\nnext\n", [b"z" * FULL, b"z\n", b"next\n"]),
        (b"z" * FULL, [b"z" * FULL]),
        ("é".encode() * 10_000 + b"\n", ["é".encode() * 8192, "é".encode() * (10_000 - 8192) + b"\n"]),
    ],
    ids=[
        "unfinished",
        "bytes",
        "terminal",
        "long",
        "16383",
        "16384",
        "16385",
        "16384-unfinished",
        "characters",
    ],
)
async def test_bytes_come_back_as_they_were_written(
    engine: Engine, written: bytes, pieces: list[bytes]
) -> None:
    encoded = base64.b64encode(written).decode()
    _, got = await finished(engine, job(DOUBLE_STDOUT=encoded))
    assert [words for _, _, words in got] == pieces


async def test_the_parts_of_one_line_carry_one_time(engine: Engine) -> None:
    encoded = base64.b64encode(b"x" * 100_000 + b"\n").decode()
    _, got = await finished(engine, job(DOUBLE_STDERR=encoded))
    assert len({at for _, at, _ in got}) == 1


async def test_the_last_pieces_are_the_end_of_the_log(engine: Engine) -> None:
    made = job(DOUBLE_LINES="5")
    async with running(engine, made):
        await engine.wait(made.name)
        whole = await printed(engine, made.name)

        assert list(await engine.last_pieces(made.name, 2)) == whole[-2:]
        assert list(await engine.last_pieces(made.name, 50)) == whole


async def test_the_end_of_a_long_log_is_told_by_its_last_pieces(engine: Engine) -> None:
    made = job(DOUBLE_LINES="3000")
    async with running(engine, made):
        await engine.wait(made.name)

        last = await engine.last_pieces(made.name, 64)

        assert text(list(last)) == b"".join(b"line %d\n" % number for number in range(2937, 3001))
