"""What a script needs installed: requirement lines from requirements.txt or from the PEP 723 block."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from events.pipeline import Problem
from fastflow.pipelines.json_text import Unreadable, storable
from fastflow.pipelines.python_versions import chosen
from fastflow.pipelines.script_block import ScriptBlock
from fastflow.pipelines.text_files import decoded

REQUIREMENTS_MAX = 1_000
REQUIREMENT_CHARACTERS_MAX = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Dependencies:
    """Requirements (PEP 508), and the Python they are for where the script says so."""

    requirements: tuple[str, ...] = ()
    python_version: str | None = None
    problems: tuple[Problem, ...] = ()


def of_requirements(file: str, content: bytes) -> Dependencies:
    """What a requirements.txt asks for; what this release does not follow is an error, never ignored."""
    try:
        text = decoded(content)
    except Unreadable as unreadable:
        return Dependencies(problems=(Problem(file=file, message=unreadable.message, line=unreadable.line),))
    requirements: list[str] = []
    problems: list[Problem] = []
    for number, line in _joined(text):
        problem = requirement_problem(line)
        if problem:
            problems.append(Problem(file=file, message=problem, line=number))
        else:
            requirements.append(line)
    if len(requirements) > REQUIREMENTS_MAX:
        problems.append(Problem(file=file, message=f"asks for more than {REQUIREMENTS_MAX:,} packages"))
    return Dependencies(tuple(dict.fromkeys(requirements)), None, tuple(problems[:_PROBLEMS_MAX]))


def of_block(file: str, block: ScriptBlock, image_python: str) -> Dependencies:
    """What a PEP 723 block asks for; its Python is None where the image's own will do."""
    requirements: list[str] = []
    problems: list[Problem] = []
    listed = block.value.get("dependencies", [])
    if not isinstance(listed, list) or len(listed) > REQUIREMENTS_MAX:
        message = f"must be a list of at most {REQUIREMENTS_MAX:,} texts"
        problems.append(_problem(file, block, "dependencies", message))
        listed = []
    for index, item in enumerate(listed):
        requirement = _one_spaced(item) if isinstance(item, str) else ""
        problem = requirement_problem(requirement) if requirement else "must be text in quotes"
        if problem:
            line = block.line(("dependencies", index))
            problems.append(Problem(file=file, message=problem, line=line, field=f"dependencies[{index}]"))
        else:
            requirements.append(requirement)
    python_version: str | None = None
    asked: Any = block.value.get("requires-python")
    try:
        python_version = None if asked is None else chosen(_text(asked), image_python)
    except ValueError as problem:
        problems.append(_problem(file, block, "requires-python", str(problem)))
    tools = block.value.get("tool")
    others = sorted(tools.keys() - {"fastflow"}) if isinstance(tools, dict) else []
    problems.extend(_ignored_tool(file, block, name) for name in others)
    return Dependencies(tuple(dict.fromkeys(requirements)), python_version, tuple(problems[:_PROBLEMS_MAX]))


_PROBLEMS_MAX = 50


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _SPECIFIER_CHARACTERS_MAX:
        raise ValueError('must be text such as ">=3.11"')
    return value


_SPECIFIER_CHARACTERS_MAX = 200


def _problem(file: str, block: ScriptBlock, field: str, message: str) -> Problem:
    return Problem(file=file, message=message, line=block.line((field,)), field=field)


def _ignored_tool(file: str, block: ScriptBlock, name: str) -> Problem:
    message = "is ignored: whoever runs Fast-Flow decides how packages are found and built"
    field = f"tool.{name}" if storable(name) else "tool"
    return Problem(
        file=file, message=message, line=block.line(("tool", name)), field=field, severity="warning"
    )


def _joined(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers: continued ones joined, comments and blank ones left out."""
    lines: list[tuple[int, str]] = []
    first, begun = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        first = first if begun else number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            begun += raw[:-1] + " "
            continue
        line = re.sub(r"(^|\s)#.*$", "", begun + raw).strip()
        begun = ""
        if line:
            lines.append((first, _one_spaced(line)))
    return [*lines, (first, _one_spaced(begun))] if begun.strip() else lines


def _one_spaced(line: str) -> str:
    return " ".join(line.split())


def requirement_problem(line: str) -> str | None:
    """Why a line cannot be used as a requirement; None where it can."""
    return next(_wrong_with(line), None)


def _wrong_with(line: str) -> Iterator[str]:
    if not storable(line) or not line.isprintable():
        yield "holds a character no requirement may hold"
    if len(line) > REQUIREMENT_CHARACTERS_MAX:
        yield f"is longer than {REQUIREMENT_CHARACTERS_MAX:,} characters"
    option = re.match(r"--[A-Za-z-]+|-.?", line)
    if option:
        advice = _OPTIONS.get(option.group(), _OTHER_OPTION)
        yield f"`{option.group()}` is not followed by this release: {advice}"
    if re.search(r"\s--[a-z]", line):
        yield "options of a requirement (`--hash` and others) are not followed by this release; remove them"
    if re.match(rf"{_NAME}[^@]*@\s*(file:|\.|/)", line):
        yield "a package on this machine is not there when the environment is built"
    if _REQUIREMENT.fullmatch(line):
        return
    if re.match(r"[a-z+]{1,20}://", line):
        name = re.search(r"[A-Za-z0-9]+", line.rpartition("/")[2])
        yield f"a bare address is not a requirement; write `{name.group() if name else 'name'} @ {line}`"
    if line.startswith((".", "/", "~")) or line.endswith((".whl", ".tar.gz", ".zip")):
        yield "a package on this machine is not there when the environment is built"
    single = re.fullmatch(rf"({_NAME})\s?=\s?([\w.]+)", line)
    if single:
        yield f"is not a requirement; did you mean `{single.group(1)}=={single.group(2)}`?"
    yield 'is not a requirement such as `pandas>=2` or `requests[socks]==2.32.3; python_version > "3.10"`'


_OPTIONS = {
    "-r": "write the other file's lines here",
    "--requirement": "write the other file's lines here",
    "-c": "write the versions here",
    "--constraint": "write the versions here",
    "-e": "an environment is built before the pipeline's own files are there",
    "--editable": "an environment is built before the pipeline's own files are there",
}
_OTHER_OPTION = "whoever runs Fast-Flow decides how packages are found and built"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?"
_VERSION = r"(?:~=|===?|!=|<=?|>=?)\s*[A-Za-z0-9.*+!_-]+"
_VERSIONS = rf"{_VERSION}(?:\s*,\s*{_VERSION})*\s*,?"
_REQUIREMENT = re.compile(
    rf"{_NAME}\s*(?:\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"(?:(?:{_VERSIONS}|\(\s*{_VERSIONS}\s*\))?\s*(?:;.+)?|@\s*\S+(?:\s*\s;.+)?)"
)
