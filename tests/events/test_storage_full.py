"""The database's disk is full: nothing acknowledged is lost, and it goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import pathlib
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator

import pytest

from events.base import Event
from events.errors import StorageFull
from events.store import EventStore
from events.verify import verify
from sql.database import Database
from tests.factory import a_stream, an_event
from tests.waiting import until

DISK_BYTES = 12 << 20
BALLAST_BYTES = 4 << 20
FILL_BYTES = 20_000


async def break_storage(database: Database) -> None:
    """Let the database say what it says when its disk is full."""
    async with database.acquire() as connection:
        await connection.execute(
            "create function public.full_disk() returns trigger language plpgsql as $$"
            " begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;"
            " create trigger full_disk before insert on event"
            " for each row execute function public.full_disk();"
            " create or replace function fastflow.probe_storage() returns void language plpgsql as $$"
            " begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;"
        )


async def mend_storage(database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "drop trigger full_disk on event;"
            " create or replace function fastflow.probe_storage() returns void language sql as 'select'"
        )


async def test_without_room_commands_fail_at_once_and_lines_wait(
    store: EventStore, database: Database
) -> None:
    stream = a_stream()
    await store.append(stream, [an_event()], expected=0)
    await break_storage(database)
    lines = [asyncio.create_task(store.append_chunk("r", n, n, {}, b"x")) for n in range(1, 5)]
    for _ in range(3):
        with pytest.raises(StorageFull, match="could not extend file"):
            await store.append(stream, [an_event()], expected=1)
    assert database.outage is not None
    assert database.outage.kind == "full"
    assert not any(task.done() for task in lines)
    await mend_storage(database)
    await asyncio.gather(*lines)
    await store.append(stream, [an_event()], expected=1)
    assert database.outage is None
    assert await verify(database) == []


async def test_room_is_noticed_although_nobody_appends(store: EventStore, database: Database) -> None:
    await break_storage(database)
    with pytest.raises(StorageFull):
        await store.append(a_stream(), [an_event()], expected=0)
    await mend_storage(database)
    assert database.outage is not None
    await until(lambda: database.outage is None)


@pytest.fixture
def disk() -> Iterator[pathlib.Path]:
    """A disk of a few megabytes, part of it taken by something that can be deleted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with tempfile.TemporaryDirectory(prefix="ff") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=False
        )
        if mounted.returncode:
            pytest.skip("this machine does not let root mount a small disk")
        try:
            pathlib.Path(folder).chmod(0o755)
            (pathlib.Path(folder) / "ballast").write_bytes(bytes(BALLAST_BYTES))
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def room_for_the_server(disk: pathlib.Path, data_directory: str) -> pathlib.Path:
    try:
        server = pathlib.Path(data_directory).stat()
    except FileNotFoundError:
        pytest.skip("the server runs elsewhere")
    place = disk / "space"
    place.mkdir()
    os.chown(place, server.st_uid, server.st_gid)
    return place


@pytest.fixture
async def small(database: Database, disk: pathlib.Path) -> AsyncIterator[Database]:
    """A database whose events lie on the small disk."""
    own = await database.connect()
    space = f"small_{os.urandom(4).hex()}"
    place = room_for_the_server(disk, await own.fetchval("show data_directory"))
    await own.execute(f"create tablespace {space} location '{place}'")
    moves = await own.fetch(
        "select format('alter %s fastflow.%I set tablespace ' || $1,"
        " case relkind when 'i' then 'index' else 'table' end, relname) as statement"
        " from pg_class where relnamespace = 'fastflow'::regnamespace"
        " and relname like 'event\\_%' and relkind in ('r', 'i')",
        space,
    )
    for move in moves:
        await own.execute(move["statement"])
    yield database
    for move in moves:
        await own.execute(move["statement"].replace(space, "pg_default"))
    await own.execute(f"drop tablespace {space}")
    await own.close()


async def test_on_a_really_full_disk_nothing_acknowledged_is_lost_and_room_ends_it(
    small: Database, disk: pathlib.Path, store: EventStore
) -> None:
    stream = a_stream()
    acknowledged: list[Event] = []

    async def fill() -> None:
        while True:
            event = an_event(os.urandom(FILL_BYTES // 2).hex())
            await store.append(stream, [event], expected=len(acknowledged))
            acknowledged.append(event)

    with pytest.raises(StorageFull):
        await fill()
    assert acknowledged
    assert small.outage is not None
    lines = asyncio.create_task(store.append_chunk("r", 1, 9, {}, os.urandom(FILL_BYTES)))
    with pytest.raises(StorageFull):
        await store.append(stream, [an_event(os.urandom(FILL_BYTES).hex())], expected=len(acknowledged))
    assert [recorded.event for recorded in await store.read_stream(stream)] == acknowledged
    assert await verify(small) == []
    (disk / "ballast").unlink()
    await lines
    appended = await store.append(stream, [an_event()], expected=len(acknowledged))
    assert appended.version == len(acknowledged) + 1
    assert small.outage is None
    assert await store.last_line("r") == 9
    assert await verify(small) == []
