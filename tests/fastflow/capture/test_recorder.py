"""The recorder stores every line once, in order, also after a crash."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
import uuid
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import pytest

from events.errors import LeaseLost, VersionConflict
from events.store import EventStore, Fence
from events.wake import Wake
from fastflow.capture import recorder as recorder_module
from fastflow.capture.lines import PART_BYTES_MAX, PIECE_BYTES
from fastflow.capture.recorder import WAITING_BYTES_MAX, Recorder
from fastflow.engine import STDERR, STDOUT, Piece
from tests.fastflow.capture.engine_log import connection, lines_of, printed
from tests.fastflow.capture.stored_log import stored_lines, texts

DEADLINE_SECONDS = 20


@pytest.fixture
def run() -> str:
    return str(uuid.uuid4())


async def record(recorder: Recorder, log: list[Piece], batch: int = 500) -> None:
    pieces = connection(log, recorder.since)
    for start in range(0, len(pieces), batch):
        await recorder.take(pieces[start : start + batch])
        await asyncio.sleep(0)


async def within_deadline(condition: Callable[[], bool], wake: Wake) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await wake.beyond(wake.head, 0.05)


async def test_everything_printed_is_stored_once_and_numbered_without_a_gap(
    store: EventStore, run: str
) -> None:
    log = printed(30_000)
    recorder = await Recorder.resume(store, run, 1)
    await record(recorder, log)
    await recorder.finish()
    lines = await stored_lines(store, run)
    assert texts(lines, "stdout") == lines_of(log, STDOUT)
    assert texts(lines, "stderr") == lines_of(log, STDERR)
    assert recorder.lines == len(lines)
    assert recorder.bytes == sum(len(text) for _, _, text in log)


@pytest.mark.parametrize("seed", range(8))
async def test_after_a_crash_at_any_point_the_next_recorder_goes_on_exactly(
    store: EventStore, run: str, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    log = printed(6_000, seed)
    left = [0]
    for _ in range(12):
        await _crash(store, run, log, dice)
        left.append(await store.last_line(run))
    await _record_to_the_end(store, run, log)
    lines = await stored_lines(store, run)
    assert texts(lines, "stdout") == lines_of(log, STDOUT)
    assert texts(lines, "stderr") == lines_of(log, STDERR)
    assert len(set(left)) > 6


async def _crash(store: EventStore, run: str, log: list[Piece], dice: random.Random) -> None:
    """Go on recording, and end with some lines stored, some on their way and some not even sent."""
    recorder = await Recorder.resume(store, run, 1)
    pieces = connection(log, recorder.since)
    stored = dice.randrange(800)
    # what the recorder before had on its way may land only now, and is then somebody faster
    with suppress(VersionConflict):
        await recorder.take(pieces[:stored])
        await recorder.flush()
        for _ in range(dice.randrange(4)):
            taken = stored + dice.randrange(800)
            await recorder.take(pieces[stored:taken])
            stored = taken
            await asyncio.sleep(0)
    await recorder.aclose()


async def test_two_recorders_of_one_attempt_cannot_store_a_line_twice(store: EventStore, run: str) -> None:
    log = printed(3_000)
    forgotten = await Recorder.resume(store, run, 1)
    await record(forgotten, log[:1000], 10)
    await _record_to_the_end(store, run, log)
    lines = await stored_lines(store, run)
    assert texts(lines, "stdout") == lines_of(log, STDOUT)
    assert texts(lines, "stderr") == lines_of(log, STDERR)
    await forgotten.aclose()


async def _record_to_the_end(store: EventStore, run: str, log: list[Piece]) -> None:
    """As the worker does: whoever was overtaken makes room for a new recorder."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            recorder = await Recorder.resume(store, run, 1)
            try:
                await record(recorder, log)
                await recorder.finish()
            except VersionConflict:
                await recorder.aclose()
            else:
                return


async def test_the_same_recorder_goes_on_over_connections_that_break(store: EventStore, run: str) -> None:
    log = printed(5_000)
    recorder = await Recorder.resume(store, run, 1)
    for until in (0, 17, 1_800, 1_801, 4_000):
        await recorder.take(connection(log, recorder.since)[:until])
    await record(recorder, log)
    await recorder.finish()
    assert len(await stored_lines(store, run)) == len(lines_of(log, STDOUT)) + len(lines_of(log, STDERR))


async def test_a_new_attempt_numbers_on_and_takes_its_own_log_from_the_start(
    store: EventStore, run: str
) -> None:
    first = await Recorder.resume(store, run, 1)
    await first.take([(STDOUT, 900, b"first\n"), (STDOUT, 901, b"no newline")])
    await first.finish()
    second = await Recorder.resume(store, run, 2)
    assert second.since == 0
    await second.take([(STDOUT, 5, b"second\n")])
    await second.finish()
    lines = await stored_lines(store, run)
    assert [(line.number, line.text, line.newline) for line in lines] == [
        (1, b"first", True),
        (2, b"no newline", False),
        (3, b"second", True),
    ]
    assert (second.lines, second.bytes) == (3, 23)
    again = await Recorder.resume(store, run, 2)
    assert (again.lines, again.bytes, again.since) == (3, 23, 0)


async def test_the_first_line_is_stored_at_once_and_a_busy_script_s_lines_together(
    store: EventStore, run: str, wake: Wake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "FLUSH_SECONDS", 0.5)
    recorder = await Recorder.resume(store, run, 1)
    await recorder.take([(STDOUT, 1, b"first\n")])
    await within_deadline(lambda: recorder.lines == 1, wake)
    for number in range(2, 202):
        await recorder.take([(STDOUT, number, b"line\n")])
    assert recorder.lines == 1
    await within_deadline(lambda: recorder.lines == 201, wake)
    assert [chunk.last_line for chunk in await store.read_chunks(run, 1, 10)] == [1, 201]


async def test_chunks_are_of_about_32_kib(store: EventStore, run: str) -> None:
    recorder = await Recorder.resume(store, run, 1)
    await recorder.take([(STDOUT, number, b"x" * 99 + b"\n") for number in range(1, 2001)])
    await recorder.finish()
    sizes = [chunk.head["bytes"] for chunk in await store.read_chunks(run, 1, 100)]
    assert sizes == [32_800] * 6 + [3_200]


async def test_whoever_lost_the_lease_is_told_and_stores_nothing(store: EventStore, run: str) -> None:
    recorder = await Recorder.resume(store, run, 1, Fence("work", 7))
    await recorder.take([(STDOUT, 1, b"line\n")])
    with pytest.raises(LeaseLost):
        await recorder.finish()
    with pytest.raises(LeaseLost):
        await recorder.take([(STDOUT, 2, b"line\n")])
    assert await store.last_line(run) == 0


async def test_when_the_database_forgot_the_last_lines_in_a_crash_finish_says_so(
    store: EventStore, run: str, dsn: str
) -> None:
    recorder = await Recorder.resume(store, run, 1)
    await recorder.take([(STDOUT, 1, b"kept\n")])
    await recorder.flush()
    await recorder.take([(STDOUT, 2, b"forgotten\n")])
    await recorder.flush()
    crashed = await asyncpg.connect(dsn)
    await crashed.execute("set session_replication_role = replica")
    await crashed.execute("delete from fastflow.event where lane = 1 and version = 2")
    await crashed.execute("update fastflow.stream set version = 1 where key = $1", run)
    await crashed.close()
    with pytest.raises(VersionConflict):
        await recorder.finish()
    resumed = await Recorder.resume(store, run, 1)
    await resumed.take(connection([(STDOUT, 1, b"kept\n"), (STDOUT, 2, b"forgotten\n")], resumed.since))
    await resumed.finish()
    assert texts(await stored_lines(store, run), "stdout") == [b"kept", b"forgotten"]


async def test_while_the_database_stands_still_little_is_taken_and_nothing_is_lost(
    store: EventStore, run: str, dsn: str
) -> None:
    taken = 0
    batch = 64

    async def feed(recorder: Recorder) -> None:
        nonlocal taken
        for number in range(400):
            await recorder.take([(STDOUT, 1 + number * batch + n, b"x" * 999 + b"\n") for n in range(batch)])
            taken += batch * 1000

    blocker = await asyncpg.connect(dsn)
    await blocker.execute("select pg_advisory_lock(7701, 0)")
    recorder = await Recorder.resume(store, run, 1)
    feeding = asyncio.create_task(feed(recorder))
    _, waiting = await asyncio.wait({feeding}, timeout=1)
    assert waiting
    assert taken < WAITING_BYTES_MAX + 2 * batch * 1000
    await blocker.close()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await feeding
        await recorder.finish()
    assert await store.last_line(run) == 400 * batch


async def test_a_line_of_100_mb_without_a_newline_is_cut_into_parts_in_little_memory(
    store: EventStore, run: str
) -> None:
    size = 100_000_000
    recorder = await Recorder.resume(store, run, 1)
    piece = b"x" * PIECE_BYTES
    tracemalloc.start()
    try:
        for _ in range(size // PIECE_BYTES // 8):
            await recorder.take([(STDOUT, 5, piece)] * 8)
        await recorder.take(
            [(STDOUT, 5, piece)] * (size // PIECE_BYTES % 8) + [(STDOUT, 5, b"x" * (size % PIECE_BYTES))]
        )
        await recorder.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * WAITING_BYTES_MAX
    lines = await stored_lines(store, run)
    assert [len(line.text) for line in lines] == [PART_BYTES_MAX] * (size // PART_BYTES_MAX) + [
        size % PART_BYTES_MAX
    ]
    assert not any(line.newline for line in lines)
    assert recorder.bytes == size


async def test_what_a_script_says_on_stdout_is_heard_and_after_a_crash_heard_again(
    store: EventStore, run: str
) -> None:
    heard: list[bytes] = []
    pieces: list[Piece] = [
        (STDOUT, 1, b"::step load\n"),
        (STDOUT, 2, b"not ::step\n"),
        (STDERR, 3, b"::step never on stderr\n"),
        (STDOUT, 4, b"::progress 1/2\n"),
    ]
    recorder = await Recorder.resume(store, run, 1, None, heard.append)
    await recorder.take(pieces[:2])
    await recorder.flush()
    await recorder.take(pieces[2:])
    assert heard == [b"::step load", b"::progress 1/2"]
    await recorder.aclose()
    resumed = await Recorder.resume(store, run, 1, None, heard.append)
    await resumed.take(connection(pieces, resumed.since))
    await resumed.finish()
    assert heard[2:] in ([], [b"::progress 1/2"])
    assert len(await stored_lines(store, run)) == 4


async def test_words_of_our_own_stand_in_the_log_and_do_not_move_the_cursor(
    store: EventStore, run: str
) -> None:
    recorder = await Recorder.resume(store, run, 1)
    await recorder.note(10**18, b"Resolving\n  no solution found\n")
    await recorder.take([(STDOUT, 5, b"line\n")])
    await recorder.finish()
    assert recorder.since == 0
    lines = await stored_lines(store, run)
    assert [(line.stream, line.text) for line in lines] == [
        ("stderr", b"Resolving"),
        ("stderr", b"  no solution found"),
        ("stdout", b"line"),
    ]


async def test_a_closed_recorder_takes_nothing_more(store: EventStore, run: str) -> None:
    recorder = await Recorder.resume(store, run, 1)
    await recorder.aclose()
    with pytest.raises(RuntimeError):
        await recorder.take([(STDOUT, 1, b"line\n")])
    assert await store.last_line(run) == 0
