"""What becomes an event comes back as it was, whatever release wrote it."""

from __future__ import annotations

import json
import math
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import codec, pipeline
from events.base import Event, Metadata
from events.errors import UnknownEvent
from events.run import AttemptBegun, CancelRequested, Progressed, RunRequested

FIXTURES = sorted((pathlib.Path(__file__).parent / "fixtures").glob("*.json"))
"""One stored event per type and version, kept for ever: a release reads what any before it wrote."""

any_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
storable_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=20,
)


def type_and_version(path: pathlib.Path) -> tuple[str, int]:
    match = re.fullmatch(r"(.+)\.v(\d+)\.json", path.name)
    assert match
    return match[1], int(match[2])


def test_every_type_and_version_has_a_fixture() -> None:
    present = {type_and_version(path) for path in FIXTURES}
    needed = {
        (name, version) for name, kind in codec.EVENTS.items() for version in range(1, kind.schema_v + 1)
    }
    assert present == needed


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_was_ever_stored_can_still_be_read_and_written(path: pathlib.Path) -> None:
    name, version = type_and_version(path)
    event = codec.decode(name, version, path.read_text(encoding="utf-8"))
    assert type(event) is codec.EVENTS[name]
    assert codec.decode(*codec.encode(event)) == event


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_of_the_present_version_shows_every_field(path: pathlib.Path) -> None:
    name, version = type_and_version(path)
    kind = codec.EVENTS[name]
    if version == kind.schema_v:
        assert set(json.loads(path.read_text(encoding="utf-8"))) == set(kind.__struct_fields__)


def test_a_type_is_stored_beside_the_data_and_not_in_it() -> None:
    assert codec.encode(AttemptBegun(attempt=1, container="x")) == (
        "run.attempt_begun",
        1,
        '{"attempt":1,"container":"x"}',
    )
    assert codec.encode(pipeline.PipelineGone()) == ("pipeline.gone", 1, "{}")


@given(st.builds(CancelRequested, by=st.text()))
def test_any_text_becomes_an_event_that_the_database_keeps(event: CancelRequested) -> None:
    name, version, data = codec.encode(event)
    stored = codec.decode(name, version, data)
    assert isinstance(stored, CancelRequested)
    assert "\0" not in stored.by
    stored.by.encode()
    # what needed no cleaning is kept as it is
    if "\0" not in event.by and event.by.isprintable():
        assert stored == event
    assert codec.encode(stored) == (name, version, data)


@given(st.dictionaries(any_text, storable_json, max_size=5))
def test_any_configuration_comes_back_as_it_was(configuration: dict[str, object]) -> None:
    event = pipeline.PipelineDefined(
        snapshot="5f", form="file", entry="a.py", source="", configuration=configuration
    )
    assert codec.decode(*codec.encode(event)) == event


def test_nul_and_lone_surrogates_are_replaced_in_values_and_keys_alike() -> None:
    event = RunRequested(
        pipeline="p", snapshot="5f", entry="a\0.py", env={"K\0\ud800": "v\udfff", "\ud83d\ude00": "\\u0000"}
    )
    stored = codec.decode(*codec.encode(event))
    assert isinstance(stored, RunRequested)
    assert stored.entry == "a\ufffd.py"
    assert stored.env == {"K\ufffd\ufffd": "v\ufffd", "\N{GRINNING FACE}": "\\u0000"}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused(number: float) -> None:
    deep = pipeline.PipelineDefined(
        snapshot="5f", form="file", entry="a.py", source="", configuration={"a": [{"b": number}]}
    )
    for event in (Progressed(attempt=1, done=number), Progressed(attempt=1, done=1, total=number), deep):
        with pytest.raises(ValueError, match="cannot be stored"):
            codec.encode(event)


class Stranger(Event, frozen=True, tag="test.stranger"):
    """An event nobody registered."""


def test_an_unregistered_event_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Stranger is not registered in events\.codec"):
        codec.encode(Stranger())


@pytest.mark.parametrize(
    ("name", "version", "data"),
    [
        ("run.unheard_of", 1, "{}"),
        ("run.attempt_begun", 2, '{"attempt":1,"container":"x"}'),
        ("run.attempt_begun", 0, '{"attempt":1,"container":"x"}'),
        ("run.attempt_begun", 1, '{"attempt":"one","container":"x"}'),
        ("run.attempt_begun", 1, "{}"),
    ],
)
def test_what_this_release_cannot_read_is_said_to_be_unknown(name: str, version: int, data: str) -> None:
    with pytest.raises(UnknownEvent):
        codec.decode(name, version, data)


def test_old_versions_are_raised_step_by_step() -> None:
    upcasters: dict[tuple[str, int], codec.Upcaster] = {
        ("run.renamed", 1): lambda data: {"attempt": 1, **data},
        ("run.renamed", 2): lambda data: {"attempt": data["attempt"], "container": data["name"]},
    }
    present = {"attempt": 1, "container": "x"}
    assert codec.upcast({"name": "x"}, "run.renamed", 1, 3, upcasters) == present
    assert codec.upcast({"name": "x", "attempt": 1}, "run.renamed", 2, 3, upcasters) == present
    assert codec.upcast(present, "run.renamed", 3, 3, upcasters) == present
    for stored, target in ((0, 3), (1, 4), (4, 3)):
        with pytest.raises(UnknownEvent, match=f"does not know version {stored} of run.renamed"):
            codec.upcast({"name": "x"}, "run.renamed", stored, target, upcasters)


def test_metadata_says_only_what_is_special() -> None:
    assert codec.encode_meta(Metadata()) == "{}"
    assert codec.decode_meta("{}") == Metadata()
    meta = Metadata(actor="page\0\ud800", causation="019")
    assert codec.decode_meta(codec.encode_meta(meta)) == Metadata(actor="page\ufffd\ufffd", causation="019")
