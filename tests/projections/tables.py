"""What is in the read models' tables, and what the tables are like, to the byte."""

from __future__ import annotations

from projections import PROJECTORS
from sql.database import Database

SHAPE = """
    select 'index ' || indexdef as line from pg_indexes where schemaname = 'read'
    union all
    select format('table %s %s %s', relname, relkind, reloptions) from pg_class
    where relnamespace = 'read'::regnamespace and relkind = 'r'
    union all
    select format('column %s.%s %s %s', table_name, column_name, data_type, is_nullable)
    from information_schema.columns where table_schema = 'read'
    union all
    select format('constraint %s %s', conname, pg_get_constraintdef(oid)) from pg_constraint
    where connamespace = 'read'::regnamespace
    union all
    select format('schema %s', nspname) from pg_namespace where nspname like 'rebuild%'
    order by line
"""


async def dump(database: Database) -> dict[str, list[str]]:
    """Every row of every read model as text."""
    found = {}
    async with database.acquire() as connection:
        for projector in PROJECTORS:
            rows = await connection.fetch(f"select t::text as line from {projector.name} t order by 1")  # noqa: S608
            found[projector.name] = [row["line"] for row in rows]
    return found


async def shape(database: Database) -> list[str]:
    """Columns, indexes, settings and constraints of every read model."""
    async with database.acquire() as connection:
        return [row["line"] for row in await connection.fetch(SHAPE)]
