"""Applies the migrations in `sql/migrations`, each once, in order."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import pathlib
import random
import re
from collections.abc import Mapping

import asyncpg
import structlog

import sql
from sql.database import CONNECT_SECONDS_MAX, SETTINGS
from sql.errors import DatabaseAway, MigrationRefused
from sql.faults import Fault, fault

MIGRATION_SECONDS_MAX = 3600
LOCK_SECONDS_MAX = 600
LOCK_POLL_SECONDS = 0.1
TRIES_MAX = 10

_log = structlog.get_logger()
_queries = sql.load("migration")
_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")


@dataclasses.dataclass(frozen=True, slots=True)
class Migration:
    """One file of `sql/migrations`."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Of the file's text: what was applied must never change."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: pathlib.Path = sql.FOLDER / "migrations") -> list[Migration]:
    """The migrations this release knows, in order."""
    found = [
        Migration(int(match["number"]), match["name"], path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.sql"))
        if (match := _FILE.fullmatch(path.name))
    ]
    return sorted(found, key=lambda migration: migration.number)


async def migrate(dsn: str, known: list[Migration] | None = None) -> list[str]:
    """Bring a database to this release's schema and name what was applied.

    Raises MigrationRefused, DatabaseAway.
    """
    known = migrations() if known is None else known
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=MIGRATION_SECONDS_MAX,
            server_settings=SETTINGS | {"statement_timeout": f"{MIGRATION_SECONDS_MAX}s"},
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise DatabaseAway(str(error) or type(error).__name__) from error
    try:
        return await _migrate(connection, known)
    except Exception as error:
        if fault(error, connection) is Fault.AWAY:
            raise DatabaseAway(str(error) or type(error).__name__) from error
        raise
    finally:
        # ends the session, and with it the lock
        connection.terminate()


async def _migrate(connection: asyncpg.Connection[asyncpg.Record], known: list[Migration]) -> list[str]:
    await _lock(connection)
    await connection.execute(_queries.create_schema)
    await connection.execute(_queries.create_table)
    applied = {row["number"]: row for row in await connection.fetch(_queries.applied)}
    _refuse_strangers(known, applied)
    fresh = [migration for migration in known if migration.number not in applied]
    for migration in fresh:
        await _apply(connection, migration)
    return [f"{migration.number:04}_{migration.name}" for migration in fresh]


async def _lock(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    async with asyncio.timeout(LOCK_SECONDS_MAX):
        while not await connection.fetchval(_queries.try_lock):  # noqa: ASYNC110
            await asyncio.sleep(LOCK_POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311


def _refuse_strangers(known: list[Migration], applied: Mapping[int, asyncpg.Record]) -> None:
    ours = {migration.number: migration for migration in known}
    for number, row in applied.items():
        if number not in ours:
            raise MigrationRefused(
                f"The database was written by another release: it has migration {number:04}_{row['name']}, "
                "which this one does not know. Use that release or a newer one."
            )
        if row["sha256"] != ours[number].sha256:
            raise MigrationRefused(
                f"Migration {number:04}_{row['name']} was applied with another text than this release's. "
                "An applied migration must never be edited; add a new one."
            )


async def _apply(connection: asyncpg.Connection[asyncpg.Record], migration: Migration) -> None:
    for tries in range(1, TRIES_MAX + 1):
        try:
            async with connection.transaction():
                await connection.execute(_queries.limit_lock_wait)
                await connection.execute(migration.text)
                await connection.execute(_queries.record, migration.number, migration.name, migration.sha256)
        except asyncpg.LockNotAvailableError as error:
            if tries == TRIES_MAX:
                raise MigrationRefused(
                    f"Migration {migration.number:04}_{migration.name} could not lock its tables "
                    f"in {TRIES_MAX} tries; end long transactions and start again."
                ) from error
        else:
            _log.info("migration.applied", number=migration.number, name=migration.name)
            return
