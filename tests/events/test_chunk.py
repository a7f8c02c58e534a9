"""A chunk gives back what was put into it, or says that it is damaged."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.chunk import (
    ERR,
    ERR_PART,
    OUT,
    OUT_PART,
    ChunkHead,
    Draft,
    Line,
    LogStream,
    decode,
    digest,
    encode,
    opened,
)
from events.errors import Damaged

AWKWARD = [b"", b"\x00", b"\xff\xfe", b"a\rb\r", b"\x1b[31mred\x1b[0m", "\u2028 \u202e 😀".encode(), b"o1 e2"]

rows = st.lists(
    st.tuples(
        st.sampled_from([OUT, OUT_PART, ERR, ERR_PART]),
        st.integers(0, 4_000_000_000_000_000_000),
        st.one_of(
            st.sampled_from(AWKWARD), st.binary(max_size=200).map(lambda text: text.replace(b"\n", b"\r"))
        ),
    ),
    min_size=1,
    max_size=60,
)
Row = tuple[int, int, bytes]


def stored(rows: list[Row]) -> tuple[dict[str, Any], bytes]:
    draft = Draft()
    for kind, at, text in rows:
        draft.add(kind, at, text + b"\n")
    payload = encode(draft)
    head = ChunkHead(
        attempt=1,
        bytes=draft.bytes_written(),
        total=draft.bytes_written(),
        at=draft.at(),
        out=(1, 1),
        err=(0, 0),
        since=1,
        sha256=digest(payload),
    )
    return msgspec.json.decode(msgspec.json.encode(head)), payload


def written(rows: list[Row], kinds: tuple[int, ...]) -> bytes:
    return b"".join(text + (b"\n" if kind in (OUT, ERR) else b"") for kind, _, text in rows if kind in kinds)


@given(rows)
def test_any_bytes_come_back_as_they_were(rows: list[Row]) -> None:
    head, payload = stored(rows)
    assert decode(41, head, payload) == [
        Line(
            number=41 + place,
            stream="stdout" if kind in (OUT, OUT_PART) else "stderr",
            at=at // 1_000_000,
            text=text,
            newline=kind in (OUT, ERR),
        )
        for place, (kind, at, text) in enumerate(rows)
    ]


@given(rows, st.sampled_from([None, "stdout", "stderr"]))
def test_raw_is_what_the_script_wrote_with_newlines_only_where_it_wrote_them(
    rows: list[Row], stream: LogStream | None
) -> None:
    head, payload = stored(rows)
    kinds = {None: (OUT, OUT_PART, ERR, ERR_PART), "stdout": (OUT, OUT_PART), "stderr": (ERR, ERR_PART)}[
        stream
    ]
    assert opened(head, payload).raw(stream) == written(rows, kinds)
    if stream is None:
        assert head["bytes"] == len(written(rows, kinds))
    else:
        assert opened(head, payload).has(stream) == any(kind in kinds for kind, *_ in rows)


@given(rows, st.integers(-3, 70), st.integers(0, 70))
def test_a_slice_holds_the_same_lines(rows: list[Row], start: int, count: int) -> None:
    head, payload = stored(rows)
    part = opened(head, payload).slice(start, start + count)
    first = max(start, 0)
    assert part.lines(1 + first) == decode(1, head, payload)[first : max(first, start + count)]


def test_a_chunk_is_a_fifth_of_what_an_ordinary_log_takes() -> None:
    rows = [
        (
            OUT,
            1_760_000_000_000_000_000 + 7_000 * number,
            b"2026-11-22 INFO worker[%d] record id=%d done" % (number % 8, number),
        )
        for number in range(600)
    ]
    head, payload = stored(rows)
    assert len(payload) < head["bytes"] / 5


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    head, payload = stored([(OUT, 5, b"one"), (ERR, 6, b"two")])
    damaged = bytearray(payload)
    damaged[place] ^= 1
    with pytest.raises(Damaged):
        decode(1, head, bytes(damaged))


@pytest.mark.parametrize(
    "change", [{"codec": "lines-from-the-future-2"}, {"sha256": 7}, {"out": [1]}, {"attempt": None}]
)
def test_a_head_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    head, payload = stored([(OUT, 5, b"one")])
    with pytest.raises(Damaged):
        decode(1, head | change, payload)


def test_a_line_with_a_newline_inside_is_never_stored() -> None:
    draft = Draft()
    draft.add(OUT, 5, b"one\ntwo\n")
    with pytest.raises(ValueError, match="newline"):
        encode(draft)
