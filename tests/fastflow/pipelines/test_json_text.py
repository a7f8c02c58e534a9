"""JSON with places: the same values as json, and every complaint in the right line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.pipelines.json_text import NUMBER_MAX, JsonText, Path, Unreadable

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-NUMBER_MAX, NUMBER_MAX) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 0, 1, "\t"]))
def test_values_are_those_of_json(value: Any, indent: int | str | None) -> None:
    for ascii_only in (True, False):
        assert JsonText(json.dumps(value, indent=indent, ensure_ascii=ascii_only)).value == value


@settings(deadline=None)
@given(
    st.lists(TEXTS, unique=True, min_size=1, max_size=6), st.lists(st.integers(0, 3), min_size=6, max_size=6)
)
def test_every_name_is_found_in_its_line(names: list[str], gaps: list[int]) -> None:
    text, line, expected = "{", 1, {}
    for name, gap in zip(names, gaps, strict=False):
        text += "\n" * gap
        line += gap
        expected[name] = line
        text += f"{json.dumps(name)}: [\n{line}],"
        line += 1
    document = JsonText(text.removesuffix(",") + "}")
    for name in names:
        assert document.line((name,)) == expected[name]
        assert document.line((name, 0)) == expected[name] + 1
        assert document.line((name, 7)) == expected[name]


def test_places_in_depth() -> None:
    document = JsonText('{\n "a": 1,\n "b": [\n  {"c":\n   {"d": 2}},\n  3\n ]\n}\n')
    places: dict[Path, int | None] = {
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 0, "c"): 4,
        ("b", 0, "c", "d"): 5,
        ("b", 1): 6,
        ("b", 0, "missing"): 4,
        ("missing",): None,
        (): None,
    }
    assert {path: document.line(path) for path in places} == places


def test_names_given_twice_are_told_with_the_second_line() -> None:
    document = JsonText('{"a": 1,\n "b": {"c": 1,\n "c": 2},\n "a": 3}')
    assert document.repeated == [("b", "c"), ("a",)]
    assert [document.line(path) for path in document.repeated] == [3, 4]
    assert document.value == {"a": 3, "b": {"c": 2}}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "is empty; write {} or remove the file"),
        (" \n\n ", 1, "is empty; write {} or remove the file"),
        ('{\n "a": 1,\n}', 2, None),
        ('{\n "a": 1,\n\n}', 4, "is not JSON: a comma too many before } (column 1)"),
        ('{"a": [1,\n]}', 2, "is not JSON: a comma too many before ] (column 1)"),
        ('{\n "a": 1\n "b": 2}', 3, "is not JSON: expected a comma or }, not '\"' (column 2)"),
        ('{\n "a" 1}', 2, "is not JSON: expected a colon after \"a\", not '1' (column 6)"),
        ("{\n // why\n}", 2, "is not JSON: JSON has no comments (column 2)"),
        ("{'a': 1}", 1, "is not JSON: text needs double quotes (column 2)"),
        ("{\"a\": 'x'}", 1, "is not JSON: text needs double quotes (column 7)"),
        ('{"a": True}', 1, "is not JSON: expected true (column 7)"),
        ('{"a": yes}', 1, "is not JSON: expected true (column 7)"),
        ("{a: 1}", 1, "is not JSON: expected a name in double quotes, not 'a' (column 2)"),
        ('{"a": NaN}', 1, "is not JSON: NaN is not a JSON number (column 7)"),
        ('{"a": 1e400}', 1, "is not JSON: the number is too large (column 7)"),
        ('{"a": ' + "9" * 5000 + "}", 1, "is not JSON: the number is too large (column 7)"),
        ('{"a": 1', 1, "is not JSON: ends too early; expected a comma or } (column 8)"),
        ("{", 1, "is not JSON: ends too early; expected a name in double quotes (column 2)"),
        ('{"a": "x\ny"}', 1, "is not JSON: the text is broken here: Invalid control character at (column 9)"),
        ('{"a": "x', 1, "is not JSON: the text is broken here: Unterminated string starting at (column 7)"),
        (
            '{"a": "\\ud800"}',
            1,
            "is not JSON: holds a character no text may hold (NUL or half of a pair) (column 7)",
        ),
        (
            '{"a": "\\u0000"}',
            1,
            "is not JSON: holds a character no text may hold (NUL or half of a pair) (column 7)",
        ),
        ("{} x", 1, "is not JSON: something follows the closing bracket of the whole (column 4)"),
        ("[" * 40, 1, "is not JSON: is nested more than 32 deep (column 34)"),
        ("\ufeff{}", 1, "is not JSON: expected a value, not '\\ufeff' (column 1)"),
    ],
)
def test_complaints_name_line_and_column(text: str, line: int, message: str | None) -> None:
    with pytest.raises(Unreadable) as refused:
        JsonText(text)
    if message is not None:
        assert (refused.value.line, refused.value.message) == (line, message)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text('{}[]",:\\ \n0123e-truefalsn', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    line: int | None = None
    try:
        assert JsonText(text).value == json.loads(text)
    except Unreadable as refused:
        line = refused.line or 0
    assert line is None or 1 <= line <= text.count("\n") + 1
