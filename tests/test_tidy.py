"""The rules of style that no linter knows, held over every file that git knows or would add."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastflow.settings import Settings

ROOT = Path(__file__).parents[1]
FILE_LINES_MAX = 299
FUNCTION_LINES_MAX = 39
PACKAGES = ("fastflow", "web", "events", "projections", "sql")
PIPELINES = ("examples/", "bench/pipelines/")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "service", "misc"}
OTHERS_FILES = ("uv.lock", "LICENSE", "web/static/vendor/")
TEXT = {".py", ".sql", ".html", ".css", ".js", ".md", ".toml", ".yaml", ".json", ".txt", ""}
SQL = re.compile(
    r"^\s*(?:with\s+\w+\s+as\s*\(|select\s.+\sfrom\s|select\s+\w+\(|insert\s+into\s|update\s+\w+\s+set\s"
    r"|delete\s+from\s|truncate\s|(?:create|alter|drop)\s+(?:table|index|schema|database|role|function|sequence)\s"
    r"|listen\s+\w+$|notify\s+\w+|set\s+(?:local|session)\s)",
    re.IGNORECASE | re.DOTALL,
)
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b|coming so" r"on", re.IGNORECASE)
PLACES = re.compile(
    r"/ho" r"me/(?!(?:worker|ada)\b)\w+|/ro" r"ot/\w|/Us" r"ers/\w|/wor" r"k/(?:main|shared)\b|/tm" r"p/ff\b"
)
REGISTRIES = re.compile(
    r"\b(?:pypi\.o" r"rg|pythonhos" r"ted\.org|npmjs\.o" r"rg|registry-1\.doc" r"ker\.io)\b"
)
IMPURE_MODULES = {
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "asyncio",
    "threading",
    "subprocess",
    "pathlib",
}
IMPURE_NAMES = {"now", "utcnow", "today", "uuid1", "uuid4", "uuid7", "getenv", "environ", "monotonic", "open"}
THREADS = {"threading", "concurrent"}
THREAD_NAMES = {"to_thread", "run_in_executor", "run_sync", "ThreadPoolExecutor"}
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log", "bind"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.cache
def files() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = (ROOT / name for name in listed.stdout.split("\0") if name and not name.startswith(OTHERS_FILES))
    return tuple(sorted(path for path in found if path.is_file()))


def python(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Name and tree of the Python files under these folders; of all but pipelines when none are named."""
    for path in files():
        name = str(path.relative_to(ROOT))
        wanted = name.startswith(tuple(f"{folder}/" for folder in folders)) or not folders
        if path.suffix == ".py" and wanted and not name.startswith(PIPELINES):
            yield name, tree(path)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def texts() -> Iterator[tuple[str, str]]:
    for path in files():
        if path.suffix in TEXT:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def found_in_texts(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def modules_imported(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def names_used(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id


def words(module: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings that are not docstrings; of an f-string its first part."""
    told = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def test_a_file_is_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): path.read_bytes().count(b"\n")
        for path in files()
        if path.suffix == ".py"
    }
    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_a_function_is_short() -> None:
    long = [
        f"{name}:{node.lineno}: {node.name}"
        for name, module in python(*PACKAGES, "bench")
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_a_module_opens_with_a_sentence() -> None:
    def opens(module: ast.Module) -> bool:
        first = (ast.get_docstring(module) or "").partition("\n")[0]
        return first[:1].isupper() or first[:1] in {"`", "("}

    silent = [name for name, module in python() if module.body and not opens(module)]
    assert silent == []


def test_a_module_is_named_for_what_it_holds() -> None:
    assert [name for name, _ in python() if VAGUE_NAMES & set(Path(name).with_suffix("").parts)] == []


def test_statements_live_in_sql_files() -> None:
    loose = [
        f"{name}:{line}: {text.strip()[:60]}"
        for name, module in python(*PACKAGES, "bench")
        for line, text in words(module)
        if SQL.match(text)
    ]
    assert loose == []


def test_asyncpg_has_one_door() -> None:
    doors = {
        name
        for name, module in python(*PACKAGES)
        for _, used in modules_imported(module)
        if used == "asyncpg"
    }
    assert {name for name in doors if not name.startswith("sql/")} == set()


def test_nothing_is_left_unfinished() -> None:
    assert found_in_texts(UNFINISHED) == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert found_in_texts(PLACES) == []
    assert found_in_texts(REGISTRIES) == []


def test_types_are_told_and_not_overruled() -> None:
    overruled = re.compile(r"#\s*type:\s*ig" r"nore|\bcast\(")
    assert [line for line in found_in_texts(overruled) if line.partition(":")[0].endswith(".py")] == []


def test_decisions_know_neither_clock_nor_chance_nor_surroundings() -> None:
    domain = list(python("fastflow/domain"))
    assert domain
    imported = [
        f"{name}:{line}: {used}" for name, module in domain for line, used in modules_imported(module)
    ]
    used = [f"{name}:{line}: {used}" for name, module in domain for line, used in names_used(module)]
    assert [line for line in imported if line.rpartition(" ")[2] in IMPURE_MODULES] == []
    assert [line for line in used if line.rpartition(" ")[2] in IMPURE_NAMES] == []


def test_nothing_waits_in_a_thread() -> None:
    threads = [
        f"{name}:{line}: {used}"
        for name, module in python(*PACKAGES)
        for line, used in (*modules_imported(module), *names_used(module))
        if used in THREADS | THREAD_NAMES
    ]
    assert threads == []


def test_what_is_logged_has_a_name_and_fields() -> None:
    def formatted(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LOG_METHODS
            and ast.unparse(node.func.value).rpartition(".")[2].strip("_") in {"log", "logger"}
            and any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in node.args)
        )

    sentences = [
        f"{name}:{getattr(node, 'lineno', 0)}"
        for name, module in python(*PACKAGES)
        for node in ast.walk(module)
        if formatted(node)
    ]
    assert sentences == []


def test_every_setting_is_in_the_readme() -> None:
    told = set(re.findall(r"\b[A-Z][A-Z_]+\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {field.upper() for field in Settings.__struct_fields__} - told == set()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("select position from event", True),
        ("\n    insert into event values ($1)", True),
        ("with moved as (select 1) select 2", True),
        ("select pg_notify($1, $2)", True),
        ("Update the page", False),
        ("select a pipeline", False),
        ("set", False),
        ("Delete the oldest from the list", False),
    ],
)
def test_the_rule_about_statements_tells_them_from_prose(statement: str, *, told: bool) -> None:
    assert bool(SQL.match(statement)) == told
