"""Every statement fits the schema, says what it is for, and is used."""

from __future__ import annotations

import pathlib
import re

import asyncpg
import pytest

import sql
from sql.database import Database

ROOT = pathlib.Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (sql.FOLDER / "queries").glob("*.sql"))
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for package in ("sql", "events", "projections", "fastflow", "web")
    for path in (ROOT / package).rglob("*.py")
}


async def test_every_statement_prepares_against_the_migrated_schema(database: Database) -> None:
    failures: list[str] = []
    async with database.acquire() as connection:
        for name in NAMES:
            for block, statement in sql.load(name).blocks.items():
                try:
                    await connection.prepare(statement)
                except asyncpg.PostgresError as error:
                    failures.append(f"{name}.{block}: {error}")
    assert failures == []


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_opens_with_a_sentence(name: str) -> None:
    blocks = sql.load(name).blocks
    assert blocks
    for block, statement in blocks.items():
        comment = re.match(r"((?:-- .*\n)+)", statement)
        assert comment, f"{name}.{block} says nothing about itself"
        sentence = comment[1].replace("-- ", "").strip()
        assert sentence[0].isupper(), f"{name}.{block}: {sentence}"
        assert sentence.endswith("."), f"{name}.{block}: {sentence}"


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_used_somewhere(name: str) -> None:
    # a file that loads by a variable's name may use the blocks of any
    users = [
        text
        for text in SOURCES.values()
        if f'sql.load("{name}")' in text or re.search(r"sql\.load\([^\"]", text)
    ]
    assert users, f"nobody loads {name}"
    for block in sql.load(name).blocks:
        used = any(re.search(rf"\w*queries\w*\.({block}|blocks)\b", text, re.IGNORECASE) for text in users)
        assert used, f"{name}.{block} is used nowhere"


def test_no_statement_hides_in_a_python_string() -> None:
    statement = re.compile(
        r"[\"'](\s|--[^\n]*\n)*(select|insert into|update|delete from|create|alter|drop|truncate)\s"
        r"[^\"']*\b(from|into|set|table|index|database|schema)\b",
        re.IGNORECASE,
    )
    for path, text in SOURCES.items():
        assert not statement.search(text), f"{path.relative_to(ROOT)}: {statement.search(text)}"


def test_asking_for_an_unknown_statement_names_the_file() -> None:
    with pytest.raises(AttributeError, match=r"sql/queries/event_log\.sql has no block 'nonsense'"):
        sql.load("event_log").nonsense  # noqa: B018
