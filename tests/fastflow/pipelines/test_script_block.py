"""The PEP 723 block: found exactly as the standard's regular expression finds it, placed in lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.pipelines.json_text import Path, Unreadable
from fastflow.pipelines.script_block import _blocks, script_block, unclosed_line

REFERENCE = r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$"
"""From PEP 723."""

LINES = st.sampled_from(
    ["# /// script", "# ///", "#", "# a = 1", "#b", "", "print()", "# /// pyproject", " # ///"]
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=12))
def test_blocks_are_those_of_the_reference_expression(lines: list[str]) -> None:
    text = "\n".join(lines)
    expected = [
        "".join(
            line[2:] if line.startswith("# ") else line[1:]
            for line in found["content"].splitlines(keepends=True)
        )
        for found in re.finditer(REFERENCE, text)
        if found["type"] == "script"
    ]
    assert [content for _, content in _blocks(lines)] == expected


SCRIPT = """#!/usr/bin/env python
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "rich",
#   "pandas>=2",
# ]
#
# [tool.fastflow]
# timeout = 60
# retry_strategy.type = "fixed_delay"
# default_env = {A = "b"}
# tags = ["x", "y"]
# [[tool.fastflow.schedules]]
# id = "a"
# [[tool.fastflow.schedules]]
# "id" = "b"
# [tool.fastflow.schedules.retry_strategy]
# type = "fixed_delay"
# ///
print()
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("requires-python",), 3),
        (("dependencies",), 4),
        (("dependencies", 0), 5),
        (("dependencies", 1), 6),
        (("tool", "fastflow"), 9),
        (("tool", "fastflow", "timeout"), 10),
        (("tool", "fastflow", "retry_strategy", "type"), 11),
        (("tool", "fastflow", "default_env", "A"), 12),
        (("tool", "fastflow", "tags", 1), 13),
        (("tool", "fastflow", "schedules", 0), 14),
        (("tool", "fastflow", "schedules", 0, "id"), 15),
        (("tool", "fastflow", "schedules", 0, "missing"), 14),
        (("tool", "fastflow", "schedules", 1, "id"), 17),
        (("tool", "fastflow", "schedules", 1, "retry_strategy", "type"), 19),
        ((), 2),
    ],
)
def test_places(path: Path, line: int) -> None:
    block = script_block(SCRIPT)
    assert block is not None
    assert block.value["dependencies"] == ["rich", "pandas>=2"]
    assert block.line(path) == line


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\n# /// script\n# a =\n# ///\n", 3, "the `# /// script` block is not TOML: Invalid value"),
        ("# /// script\n# a = [\n# ///\n", 2, None),
        (
            "# /// script\n# a = " + "[" * 3000 + "\n# ///\n",
            1,
            "the `# /// script` block is nested too deeply",
        ),
        (
            "# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 2\n# ///\n",
            5,
            "has a second `# /// script` block (the first is in line 1)",
        ),
    ],
)
def test_a_block_that_cannot_be_read_is_told_with_its_line(text: str, line: int, message: str | None) -> None:
    with pytest.raises(Unreadable) as refused:
        script_block(text)
    assert refused.value.line == line
    assert message is None or refused.value.message == message


def test_a_block_that_is_not_closed_is_none() -> None:
    text = "import x\n# /// script\n# a = 1\nprint()\n# ///\n"
    assert script_block(text) is None
    assert unclosed_line(text) == 2
    assert unclosed_line(SCRIPT) is None
    assert unclosed_line("print()") is None


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["a = 1", "[a]", "[[b]]", "c = [", "]", '"d".e = """', '"""', "# x", "", "b.c = {}"]),
        max_size=8,
    )
)
def test_any_toml_is_placed_or_refused(lines: list[str]) -> None:
    text = "\n".join(["# /// script", *(f"# {line}" for line in lines), "# ///"])
    line: int | None
    try:
        block = script_block(text)
        line = block.line(("c", 0)) if block else 1
    except Unreadable as refused:
        line = refused.line
    assert line is not None
    assert 1 <= line <= len(lines) + 2
