"""Real containers: what comes out of the log is what the script wrote, however often the reading was cut."""

from __future__ import annotations

import base64
import contextlib
import random
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from events.chunk import Line
from events.store import EventStore
from fastflow.capture.recorder import Recorder
from fastflow.engine import Engine
from fastflow.engine.docker import DockerEngine
from tests.fastflow.capture.stored_log import stored_lines, texts
from tests.fastflow.engine.jobs import job

pytestmark = pytest.mark.docker

RUN = "01935a2b-0000-7000-8000-000000000001"

FLOOD = """
import sys, zlib
out, err = sys.stdout.buffer, sys.stderr.buffer
def line(stream, number, filling=b""):
    text = b"%s:%012d:%s" % (stream, number, filling)
    return text + b":%08x\\n" % zlib.crc32(text)
for number in range(200_000):
    long = number % 20_000 == 7
    out.write(line(b"out", number, b"x" * 40_000 if long else b"some words as scripts print them"))
    if number % 10 == 0:
        err.write(line(b"err", number // 10, b"y" * 40_000 if long else b""))
out.flush(); err.flush()
"""
FLOOD_LINES = {"stdout": 200_000, "stderr": 20_000}

BYTES = (
    b"\x00 nul\n\xff\xfe not utf-8\nlone\rreturn\r\n\x1b[31mred\x1b[0m\n\n"
    + "\N{GRINNING FACE}\u2028\u202e".encode() * 3_000
    + b"\n"
    + b"a" * 16_383
    + b"\n"
    + b"b" * 16_384
    + b"\n"
    + b"c" * 16_385
    + b"\n"
    + b"d" * (16_384 * 64)
    + b"\n"
    + b"e" * (16_384 * 64 + 1)
    + b"\n"
    + b"no newline"
)

REPEAT = """
import base64, sys, zlib
data = zlib.decompress(base64.b64decode(%r))
sys.stdout.buffer.write(data)
sys.stderr.buffer.write(data)
"""


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    made = DockerEngine()
    yield made
    await made.close()


async def recorded(
    engine: Engine, store: EventStore, script: str, dice: random.Random | None = None
) -> list[Line]:
    """Run a script as the worker does; with dice, cut connections and begin anew as after a crash."""
    asked = job(("python3", "-c", script))
    await engine.create(asked)
    try:
        await engine.start(asked.name)
        recorder = await Recorder.resume(store, RUN, 1)
        if dice is not None:
            recorder = await interrupted(engine, store, asked.name, recorder, dice)
        await follow(engine, asked.name, recorder)
        await engine.wait(asked.name)
        async for pieces in engine.logs(asked.name, recorder.since, follow=False):
            await recorder.take(pieces)
        await recorder.finish()
    finally:
        await engine.remove(asked.name)
    return await stored_lines(store, RUN)


async def interrupted(
    engine: Engine, store: EventStore, name: str, recorder: Recorder, dice: random.Random
) -> Recorder:
    for _ in range(12):
        await follow(engine, name, recorder, dice.randrange(60))
        if dice.random() < 0.5:
            await recorder.aclose()
            recorder = await Recorder.resume(store, RUN, 1)
    return recorder


async def follow(engine: Engine, name: str, recorder: Recorder, batches_max: int | None = None) -> None:
    logs = engine.logs(name, recorder.since, follow=True)
    assert isinstance(logs, AsyncGenerator)
    async with contextlib.aclosing(logs):
        batches = 0
        async for pieces in logs:
            await recorder.take(pieces)
            batches += 1
            if batches == batches_max:
                return


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 1])
async def test_a_flood_on_both_streams_is_stored_exactly_whatever_is_cut(
    engine: DockerEngine, store: EventStore, seed: int | None
) -> None:
    dice = None if seed is None else random.Random(seed)  # noqa: S311
    lines = await recorded(engine, store, FLOOD, dice)
    for stream, count in FLOOD_LINES.items():
        found = texts(lines, stream)
        assert len(found) == count
        wrong = [number for number, text in enumerate(found) if not _as_written(text, stream, number)]
        assert wrong == []


def _as_written(text: bytes, stream: str, number: int) -> bool:
    written, _, check = text.rpartition(b":")
    return written.startswith(b"%s:%012d:" % (stream[3:].encode(), number)) and int(check, 16) == zlib.crc32(
        written
    )


async def test_every_byte_is_kept_on_either_stream(engine: DockerEngine, store: EventStore) -> None:
    lines = await recorded(engine, store, REPEAT % base64.b64encode(zlib.compress(BYTES)))
    for stream in ("stdout", "stderr"):
        written = b"".join(
            line.text + (b"\n" if line.newline else b"") for line in lines if line.stream == stream
        )
        assert written == BYTES


@pytest.mark.slow
async def test_a_line_of_100_mb_comes_in_parts(engine: DockerEngine, store: EventStore) -> None:
    lines = await recorded(engine, store, "print('x' * 100_000_000); print('after')")
    assert [line.text for line in lines[-1:]] == [b"after"]
    assert sum(len(line.text) for line in lines[:-1]) == 100_000_000
    assert [line.newline for line in lines[:-1]] == [False] * 95 + [True]
