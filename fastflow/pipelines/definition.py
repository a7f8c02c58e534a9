"""From the texts a user wrote to what a pipeline is: pure, and whatever the texts hold, an answer."""

from __future__ import annotations

import dataclasses
import io
import sys
import tokenize
import warnings

from events.pipeline import PipelineDefined, Problem
from fastflow.pipelines.configuration import Configuration, as_json, checked, read_json, without_keys
from fastflow.pipelines.dependencies import Dependencies, of_block, of_requirements
from fastflow.pipelines.json_text import Path, Unreadable
from fastflow.pipelines.python_versions import allows, release
from fastflow.pipelines.script_block import ScriptBlock, script_block, unclosed_line
from fastflow.pipelines.text_files import UTF_16_MARKS, decoded
from fastflow.pipelines.written import Text, Written

SOURCE_SHOWN_BYTES_MAX = 128 << 10
SOURCE_CHECKED_BYTES_MAX = 64 << 10
"""Compiling holds the event loop (64 KiB: 15 ms); a longer script's mistakes only its run finds."""
NOTEBOOK = "is a notebook; this release runs only scripts, such as a `main.py`"


@dataclasses.dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a pipeline says nothing."""

    python: str
    """The worker image's."""
    timeout_seconds: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Examined:
    """A pipeline as its files have it; the definition is None where the problems forbid it."""

    definition: PipelineDefined | None
    problems: tuple[Problem, ...]


def define(written: Written, defaults: Defaults) -> Examined:
    """What the files say; the definition's snapshot is still empty."""
    entry = written.entry
    if entry is None:
        return Examined(None, _without_entry(written))
    source, block, problems = _read_entry(entry)
    configuration, configuration_problems = _configuration(written, block)
    dependencies, dependency_problems = _dependencies(written, block, defaults)
    problems += [*configuration_problems, *dependency_problems]
    python, python_problems = _python(configuration, dependencies, block)
    problems += python_problems
    problems += _syntax_problems(entry, python or defaults.python)
    if configuration.text("type") == "notebook":
        file, line = configuration.file or entry.file, configuration.line("type")
        problems.append(Problem(file=file, message=NOTEBOOK, line=line, field="type"))
    errors = tuple(problem for problem in problems if problem.severity == "error")
    if errors:
        return Examined(None, tuple(problems))
    definition = PipelineDefined(
        snapshot="",
        form=written.form,
        entry=entry.below_snapshot,
        source=source,
        configuration=without_keys(configuration.written),
        description=configuration.text("description") or "",
        tags=tuple(dict.fromkeys(configuration.texts("tags"))),
        enabled=configuration.enabled,
        requirements=dependencies.requirements,
        python_version=python,
        env=configuration.environment("default_env"),
        cpu_limit=configuration.amount("cpu_hard_limit"),
        memory_limit_bytes=configuration.memory("mem_hard_limit"),
        timeout_seconds=_timeout(configuration, defaults),
        stop_grace_seconds=_grace(configuration),
        network=configuration.network,
        warnings=tuple(problems),
    )
    return Examined(definition, tuple(problems))


def _without_entry(written: Written) -> tuple[Problem, ...]:
    if written.notebook:
        return (Problem(file=written.notebook, message=NOTEBOOK),)
    return (Problem(file=written.place, message="has a configuration but no `main.py`"),)


def _read_entry(entry: Text) -> tuple[str, ScriptBlock | None, list[Problem]]:
    """The source to show, its block and what is wrong with either."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(entry.content).readline)
        whole = entry.content.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, LookupError):
        whole = entry.content.decode("utf-8", "replace")
    shown = _shortened(whole.replace("\0", "\ufffd"))
    try:
        text = decoded(entry.content) if b"# /// script" in entry.content else ""
        block = script_block(text)
    except Unreadable as problem:
        return shown, None, [Problem(file=entry.file, message=problem.message, line=problem.line)]
    unclosed = unclosed_line(text)
    if unclosed is None:
        return shown, block, []
    message = "is ignored: no line `# ///` closes this block (or a line between does not start with `# `)"
    return shown, None, [Problem(file=entry.file, message=message, line=unclosed, severity="warning")]


def _shortened(text: str) -> str:
    content = text.encode("utf-8", "replace")
    if len(content) <= SOURCE_SHOWN_BYTES_MAX:
        return content.decode("utf-8")
    return content[:SOURCE_SHOWN_BYTES_MAX].decode("utf-8", "ignore")


def _configuration(written: Written, block: ScriptBlock | None) -> tuple[Configuration, list[Problem]]:
    """The first of JSON file and `[tool.fastflow]`; a second one is named, not mixed in."""
    entry = written.entry
    tool = block.value.get("tool") if block else None
    table = tool.get("fastflow") if isinstance(tool, dict) else None
    if not written.configurations:
        if entry is None or block is None or table is None:
            return Configuration(), []
        configuration = checked(entry.file, as_json(table), _ToolTable(block))
        return configuration, list(configuration.problems)
    first, *others = written.configurations
    configuration = read_json(first.file, first.content)
    ignored = [_ignored(other.file, None, f"is ignored because there is {first.file}") for other in others]
    if entry and block and table is not None:
        line = block.line(("tool", "fastflow"))
        ignored.append(
            _ignored(entry.file, line, f"[tool.fastflow] is ignored because there is {first.file}")
        )
    return configuration, [*configuration.problems, *ignored]


@dataclasses.dataclass(frozen=True, slots=True)
class _ToolTable:
    block: ScriptBlock

    def line(self, path: Path) -> int | None:
        return self.block.line(("tool", "fastflow", *path))


def _dependencies(
    written: Written, block: ScriptBlock | None, defaults: Defaults
) -> tuple[Dependencies, list[Problem]]:
    """The block's where it lists any, else requirements.txt."""
    entry, requirements = written.entry, written.requirements
    in_block = of_block(entry.file, block, defaults.python) if entry and block else Dependencies()
    if requirements is None:
        return in_block, list(in_block.problems)
    if block and "dependencies" in block.value:
        message = "is ignored because the script's `# /// script` block has `dependencies`"
        return in_block, [*in_block.problems, _ignored(requirements.file, None, message)]
    in_file = of_requirements(requirements.file, requirements.content)
    both = dataclasses.replace(in_file, python_version=in_block.python_version)
    return both, [*in_block.problems, *in_file.problems]


def _ignored(file: str, line: int | None, message: str) -> Problem:
    return Problem(file=file, message=message, line=line, severity="warning")


def _python(
    configuration: Configuration, dependencies: Dependencies, block: ScriptBlock | None
) -> tuple[str | None, list[Problem]]:
    """The configured version, which the script must allow, else the one the script leads to."""
    configured = configuration.text("python_version")
    asked = block.value.get("requires-python") if block else None
    if configured is None or configuration.errors:
        return dependencies.python_version, []
    try:
        fits = not isinstance(asked, str) or allows(asked, configured)
    except ValueError:
        return configured, []
    message = f'is {configured}, but the script says requires-python = "{asked}"'
    file, line = configuration.file or "", configuration.line("python_version")
    return configured, [] if fits else [
        Problem(file=file, message=message, line=line, field="python_version")
    ]


def _syntax_problems(entry: Text, python: str) -> list[Problem]:
    """What no Python can read; where the run's Python is newer than ours, that is only our guess."""
    if len(entry.content) > SOURCE_CHECKED_BYTES_MAX:
        return []
    if entry.content.startswith(UTF_16_MARKS):
        return [Problem(file=entry.file, message="is UTF-16 text; save it as UTF-8", line=1)]
    if b"\0" in entry.content:
        line = entry.content.count(b"\n", 0, entry.content.index(b"\0")) + 1
        return [Problem(file=entry.file, message="holds a NUL byte, which no Python source may", line=line)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(entry.content, entry.file, "exec", dont_inherit=True)
    except SyntaxError as problem:
        return [_syntax_problem(entry.file, problem, python)]
    except (ValueError, MemoryError, RecursionError, OverflowError):
        return []  # too deep for this check; what it is worth, the run will show
    return []


def _syntax_problem(file: str, problem: SyntaxError, python: str) -> Problem:
    message = f"SyntaxError: {problem.msg}".encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
    line = problem.lineno if problem.lineno and problem.lineno > 0 else None
    ours = sys.version_info[:2]
    if release(python)[:2] <= ours:
        return Problem(file=file, message=message, line=line)
    guess = f"Python {ours[0]}.{ours[1]} would say: {message}; the run's Python {python} decides"
    return Problem(file=file, message=guess, line=line, severity="warning")


def _timeout(configuration: Configuration, defaults: Defaults) -> float | None:
    """Seconds; 0 means no limit, as for a daemon."""
    written = configuration.amount("timeout")
    return defaults.timeout_seconds if written is None else written or None


def _grace(configuration: Configuration) -> float:
    written = configuration.amount("stop_grace_seconds")
    return _GRACE_SECONDS if written is None else written


_GRACE_SECONDS = 10.0
