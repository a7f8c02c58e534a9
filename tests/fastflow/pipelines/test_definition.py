"""From the texts to the definition: what the page shows, what a run gets, what is wrong."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.pipeline import PipelineDefined, Problem
from fastflow.pipelines.definition import NOTEBOOK, SOURCE_CHECKED_BYTES_MAX, Defaults, Examined, define
from fastflow.pipelines.written import Text, Written

DEFAULTS = Defaults("3.11", 90)


def folder(script: str | bytes, configuration: str = "", requirements: str = "") -> Written:
    content = script if isinstance(script, bytes) else script.encode()
    return Written(
        "demo",
        "folder",
        "demo",
        Text("demo/main.py", content, "main.py"),
        (Text("demo/pipeline.json", configuration.encode(), "pipeline.json"),) if configuration else (),
        Text("demo/requirements.txt", requirements.encode(), "requirements.txt") if requirements else None,
    )


def good(written: Written) -> PipelineDefined:
    examined = define(written, DEFAULTS)
    assert examined.definition is not None, examined.problems
    return examined.definition


def told(examined: Examined) -> list[tuple[str, int | None, str | None, str]]:
    return [(problem.file, problem.line, problem.field, problem.message) for problem in examined.problems]


def test_a_script_alone_is_a_pipeline() -> None:
    definition = good(folder("print('hi')\r\n"))
    assert definition == PipelineDefined(
        snapshot="",
        form="folder",
        entry="main.py",
        source="print('hi')\n",
        configuration={},
        timeout_seconds=90,
    )


def test_what_this_release_acts_on_is_taken_out_of_the_configuration() -> None:
    configuration = """{"description": "d", "tags": ["a", "b", "a"], "enabled": false, "timeout": 0,
        "default_env": {"A": "1"}, "python_version": "3.12", "cpu_hard_limit": 2, "mem_hard_limit": "64m",
        "network": "none", "stop_grace_seconds": 3, "priority": 7}"""
    definition = good(folder("print()", configuration, "rich\npandas>=2\n"))
    assert definition == PipelineDefined(
        snapshot="",
        form="folder",
        entry="main.py",
        source="print()",
        configuration=definition.configuration,
        description="d",
        tags=("a", "b"),
        enabled=False,
        requirements=("rich", "pandas>=2"),
        python_version="3.12",
        env={"A": "1"},
        cpu_limit=2.0,
        memory_limit_bytes=64 << 20,
        timeout_seconds=None,
        stop_grace_seconds=3.0,
        network="none",
    )
    assert definition.configuration["priority"] == 7


def test_a_webhooks_key_is_kept_only_as_a_digest() -> None:
    schedule = '{"id": "a", "interval": 5, "webhook_key": "hunter3"}'
    definition = good(folder("print()", f'{{"webhook_key": "hunter2", "schedules": [{schedule}]}}'))
    assert "hunter" not in str(definition)
    assert definition.configuration["webhook_key"] == (
        "sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7"
    )
    assert definition.configuration["schedules"][0]["webhook_key"].startswith("sha256:")


BLOCK = """# /// script
# requires-python = "{}"
# dependencies = ["rich"]
# [tool.fastflow]
# tags = ["x"]
# ///
"""


def test_a_block_can_say_it_all() -> None:
    definition = good(folder(BLOCK.format(">=3.12")))
    assert (definition.requirements, definition.tags) == (("rich",), ("x",))
    assert (definition.python_version, definition.configuration) == ("3.12", {"tags": ["x"]})


def test_dates_in_a_block_become_text() -> None:
    fields = "# schedule_start = 2025-01-01\n# run_once_at = 2025-01-01T10:00:00Z\n"
    script = f"# /// script\n# [tool.fastflow]\n{fields}# ///\n"
    assert good(folder(script)).configuration == {
        "schedule_start": "2025-01-01",
        "run_once_at": "2025-01-01T10:00:00+00:00",
    }


def test_one_source_wins_and_the_other_is_named() -> None:
    definition = good(folder(BLOCK.format(">=3.11"), '{"tags": ["y"]}', "pandas\n"))
    assert (definition.requirements, definition.tags) == (("rich",), ("y",))
    assert definition.warnings == (
        Problem(
            file="demo/main.py",
            message="[tool.fastflow] is ignored because there is demo/pipeline.json",
            line=4,
            severity="warning",
        ),
        Problem(
            file="demo/requirements.txt",
            message="is ignored because the script's `# /// script` block has `dependencies`",
            severity="warning",
        ),
    )


@pytest.mark.parametrize(
    ("script", "configuration", "expected"),
    [
        ("print(\n", "", [("demo/main.py", 1, None, "SyntaxError: '(' was never closed")]),
        ("a = 1\nif a\n  pass\n", "", [("demo/main.py", 2, None, "SyntaxError: expected ':'")]),
        ("\nreturn 1\n", "", [("demo/main.py", 2, None, "SyntaxError: 'return' outside function")]),
        (b"a = 1\n\0\n", "", [("demo/main.py", 2, None, "holds a NUL byte, which no Python source may")]),
        ("print()".encode("utf-16"), "", [("demo/main.py", 1, None, "is UTF-16 text; save it as UTF-8")]),
        (
            "print()",
            '{"type": "notebook"}',
            [("demo/pipeline.json", 1, "type", NOTEBOOK)],
        ),
        (
            "# /// script\n# [tool.fastflow]\n# timeout = -1\n# ///\n",
            "",
            [("demo/main.py", 3, "timeout", "must be a number from 0 to 316224000, not -1")],
        ),
        (
            "# /// script\n# [tool.fastflow]\n# cpu_hard_limit = nan\n# ///\n",
            "",
            [("demo/main.py", 3, "cpu_hard_limit", "is not a number that can be kept")],
        ),
        (
            "# /// script\n# tool.fastflow = 7\n# ///\n",
            "",
            [("demo/main.py", 2, None, "must be an object, not a number")],
        ),
        (
            BLOCK.format(">=3.12"),
            '{\n"python_version": "3.11"}',
            [
                (
                    "demo/main.py",
                    4,
                    None,
                    "[tool.fastflow] is ignored because there is demo/pipeline.json",
                ),
                (
                    "demo/pipeline.json",
                    2,
                    "python_version",
                    'is 3.11, but the script says requires-python = ">=3.12"',
                ),
            ],
        ),
    ],
)  # fmt: skip
def test_mistakes(
    script: str | bytes, configuration: str, expected: list[tuple[str, int, str | None, str]]
) -> None:
    examined = define(folder(script, configuration), DEFAULTS)
    assert examined.definition is None
    assert told(examined) == expected


def test_a_block_left_open_is_a_warning() -> None:
    definition = good(folder("# /// script\n# dependencies = []\nprint()\n"))
    message = "is ignored: no line `# ///` closes this block (or a line between does not start with `# `)"
    assert definition.warnings == (Problem(file="demo/main.py", message=message, line=1, severity="warning"),)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads that script")
def test_a_script_for_a_newer_python_is_not_broken_only_because_ours_cannot_read_it() -> None:
    newer = "try:\n    pass\nexcept A, B:\n    pass\n"
    assert define(folder(newer), DEFAULTS).definition is None
    definition = good(folder(newer, '{"python_version": "3.14"}'))
    assert definition.warnings[0].line == 3
    assert "the run's Python 3.14 decides" in definition.warnings[0].message


def test_only_scripts_of_moderate_size_are_compiled() -> None:
    assert good(folder("x = 1\n" * (SOURCE_CHECKED_BYTES_MAX // 6) + "return\n"))


def test_the_source_shown_is_shortened_and_fit_for_the_database() -> None:
    assert len(good(folder("#" * 300_000)).source) == 128 << 10
    assert good(folder("# -*- coding: latin-1 -*-\n# grün".encode("latin-1"))).source.endswith("grün")
    assert "\0" not in good(folder(b"#\0" + b"#" * SOURCE_CHECKED_BYTES_MAX)).source


def test_without_a_script_there_is_only_a_reason() -> None:
    notebook = Written("demo", "folder", "demo", None, notebook="demo/main.ipynb")
    assert told(define(notebook, DEFAULTS)) == [("demo/main.ipynb", None, None, NOTEBOOK)]
    nothing = Written("demo", "folder", "demo", None)
    assert told(define(nothing, DEFAULTS)) == [("demo", None, None, "has a configuration but no `main.py`")]


BYTES = st.binary(max_size=120) | st.text(max_size=120).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
SCRIPTS = BYTES | st.lists(
    st.sampled_from(
        [b"# /// script", b"# ///", b"# dependencies = [1]", b"# [tool.fastflow]", b'# x = "\\u0000"', b"#"]
    ),
    max_size=8,
).map(b"\n".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(SCRIPTS, st.none() | BYTES, st.none() | BYTES)
def test_any_bytes_are_a_definition_or_problems(
    script: bytes, configuration: bytes | None, requirements: bytes | None
) -> None:
    written = Written(
        "demo",
        "folder",
        "demo",
        Text("demo/main.py", script, "main.py"),
        () if configuration is None else (Text("demo/pipeline.json", configuration, "pipeline.json"),),
        None if requirements is None else Text("demo/requirements.txt", requirements, "requirements.txt"),
    )
    examined = define(written, DEFAULTS)
    assert examined.definition is not None or any(p.severity == "error" for p in examined.problems)
    for problem in examined.problems:
        assert "\0" not in problem.message
        assert problem.message.encode("utf-8")
