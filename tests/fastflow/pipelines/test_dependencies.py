"""Requirements: what is taken, what is refused and why."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.pipeline import Problem
from fastflow.pipelines.dependencies import Dependencies, of_block, of_requirements, requirement_problem
from fastflow.pipelines.script_block import script_block

NOT_FOLLOWED = "is not followed by this release:"


def test_a_requirements_file_is_read_line_by_line() -> None:
    content = (
        b"# what we need\n\npandas >= 2 , <3   # tables\r\nrequests[socks]==2.32.3; python_version > '3.10'\n"
        b"rich\\\n>=13\nhttpx @ https://example.org/httpx-1.whl#sha256=ab\nrich>=13\n"
    )
    found = of_requirements("demo/requirements.txt", content)
    assert found.problems == ()
    assert found.requirements == (
        "pandas >= 2 , <3",
        "requests[socks]==2.32.3; python_version > '3.10'",
        "rich >=13",
        "httpx @ https://example.org/httpx-1.whl#sha256=ab",
        "rich>=13",
    )
    assert of_requirements("r.txt", b"") == Dependencies()
    assert of_requirements("r.txt", "\ufeffrich\n".encode()).requirements == ("rich",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-r more.txt", "`-r` is not followed by this release: write the other file's lines here"),
        ("-rmore.txt", "`-r` is not followed by this release: write the other file's lines here"),
        (
            "--requirement=more.txt",
            "`--requirement` is not followed by this release: write the other file's lines here",
        ),
        ("-c limits.txt", "`-c` is not followed by this release: write the versions here"),
        (
            "-e .",
            f"`-e` {NOT_FOLLOWED} an environment is built before the pipeline's own files are there",
        ),
        (
            "--index-url https://x",
            f"`--index-url` {NOT_FOLLOWED} whoever runs Fast-Flow decides how packages are found and built",
        ),
        (
            "rich==13 --hash=sha256:00",
            "options of a requirement (`--hash` and others) are not followed by this release; remove them",
        ),
        ("./wheels/x.whl", "a package on this machine is not there when the environment is built"),
        ("x @ file:///x.whl", "a package on this machine is not there when the environment is built"),
        ("x @ ../x", "a package on this machine is not there when the environment is built"),
        (
            "https://example.org/x-1.whl",
            "a bare address is not a requirement; write `x @ https://example.org/x-1.whl`",
        ),
        (
            "git+https://example.org/x",
            "a bare address is not a requirement; write `x @ git+https://example.org/x`",
        ),
        ("pandas=2.1", "is not a requirement; did you mean `pandas==2.1`?"),
        (
            "pandas 2",
            'is not a requirement such as `pandas>=2` or `requests[socks]==2.32.3; python_version > "3.10"`',
        ),
        (
            "import os",
            'is not a requirement such as `pandas>=2` or `requests[socks]==2.32.3; python_version > "3.10"`',
        ),
        ("x" * 1001, "is longer than 1,000 characters"),
        ("rich\x07", "holds a character no requirement may hold"),
    ],
)
def test_what_is_not_followed_is_refused_with_its_line(line: str, message: str) -> None:
    found = of_requirements("demo/requirements.txt", f"# first\n{line}\nrich\n".encode())
    assert found.problems == (Problem(file="demo/requirements.txt", message=message, line=2),)


def test_too_many_requirements_are_refused() -> None:
    found = of_requirements("r.txt", "\n".join(f"p{n}" for n in range(1001)).encode())
    assert [problem.message for problem in found.problems] == ["asks for more than 1,000 packages"]


def test_a_file_saved_by_a_windows_shell_is_told_apart() -> None:
    found = of_requirements("r.txt", "pandas\r\n".encode("utf-16"))
    assert found.problems == (Problem(file="r.txt", message="is UTF-16 text; save it as UTF-8", line=1),)


def block_of(*lines: str) -> Dependencies:
    block = script_block("\n".join(["# /// script", *(f"# {line}" for line in lines), "# ///"]))
    assert block is not None
    return of_block("demo.py", block, "3.11")


def test_a_block_says_what_it_needs() -> None:
    assert block_of('dependencies = ["rich", " pandas >= 2 "]').requirements == ("rich", "pandas >= 2")
    assert block_of("# nothing") == Dependencies()
    assert block_of('requires-python = ">=3.10"').python_version is None
    assert block_of('requires-python = ">=3.12"').python_version == "3.12"
    assert block_of('requires-python = "<3.11"').python_version == "3.10"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (['dependencies = "rich"'], (2, "dependencies", "must be a list of at most 1,000 texts", "error")),
        (["dependencies = [", '"rich",', '"-e .",', "]"], (4, "dependencies[1]", None, "error")),
        (["dependencies = [7]"], (2, "dependencies[0]", "must be text in quotes", "error")),
        (['dependencies = [""]'], (2, "dependencies[0]", "must be text in quotes", "error")),
        (["requires-python = 3.11"], (2, "requires-python", 'must be text such as ">=3.11"', "error")),
        (
            ['requires-python = "3.11"'],
            (2, "requires-python", '"3.11" is not a condition such as ">=3.11"', "error"),
        ),
        (['requires-python = ">=4"'], (2, "requires-python", '">=4" allows no Python 3', "error")),
        (
            ["[tool.uv]", "x = 1"],
            (
                2,
                "tool.uv",
                "is ignored: whoever runs Fast-Flow decides how packages are found and built",
                "warning",
            ),
        ),
    ],
)
def test_a_block_with_mistakes(lines: list[str], problem: tuple[int, str, str | None, str]) -> None:
    (found,) = block_of(*lines).problems
    line, field, message, severity = problem
    assert (found.line, found.field, found.severity) == (line, field, severity)
    assert message is None or found.message == message


@settings(deadline=None)
@given(st.text(max_size=80) | st.text("ab[]=<>~!;@ ,.-/()'\"19", max_size=80))
def test_any_line_is_a_requirement_or_not(line: str) -> None:
    problem = requirement_problem(" ".join(line.split()))
    assert problem is None or problem.encode("utf-8", "surrogatepass")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_requirements_or_problems(content: bytes) -> None:
    found = of_requirements("r.txt", content)
    assert all("\n" not in line and not line.startswith("-") for line in found.requirements)
