"""The life of the embedded PostgreSQL: started, adopted, recovered, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from pathlib import Path

import asyncpg
import pytest
import uvloop

from sql import embedded_postmaster
from sql.embedded import EmbeddedPostgres
from sql.embedded_process import PostgresRefused
from tests.sql.embedded_world import (
    DEADLINE_SECONDS,
    connected,
    die,
    place,
    program,
    rows,
    server,
    write_a_row,
)

pytestmark = pytest.mark.postgres


async def test_starts_from_nothing_and_again_with_its_data(public_folder: Path) -> None:
    embedded = EmbeddedPostgres(public_folder / "data" / "postgres")
    await write_a_row(await embedded.start())
    await embedded.stop()
    assert await rows(await embedded.start()) == ["here"]
    async with connected(await embedded.found() or "") as connection:
        assert (await connection.fetchval("select version()")).startswith("PostgreSQL 18.")
        assert await connection.fetchval("show fsync") == "on"
    await embedded.remove()
    assert list(embedded.folder.parent.iterdir()) == []


def test_the_programs_own_event_loop_starts_and_stops_it_too(public_folder: Path) -> None:
    embedded = EmbeddedPostgres(public_folder / "data" / "postgres")

    async def once() -> None:
        await write_a_row(await embedded.start())
        await embedded.remove()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(once(), DEADLINE_SECONDS))


async def test_the_folder_is_private_and_there_is_no_network_port(embedded: EmbeddedPostgres) -> None:
    async with connected(await embedded.start()) as connection:
        assert await connection.fetchval("show listen_addresses") == ""
        assert await connection.fetchval("show data_directory_mode") == "0700"
    assert stat.S_IMODE(place(embedded).folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(place(embedded).socket.stat().st_mode) == 0o700
    assert len(os.fsencode(place(embedded).socket / ".s.PGSQL.5432")) < 107


async def test_stop_leaves_no_process_and_no_runtime_folder(embedded: EmbeddedPostgres) -> None:
    await embedded.start()
    assert len(list(embedded_postmaster._processes(place(embedded)))) > 3
    await embedded.stop()
    assert list(embedded_postmaster._processes(place(embedded))) == []
    assert not place(embedded).runtime.exists()
    assert not (place(embedded).data / "postmaster.pid").exists()
    assert await embedded.found() is None
    await embedded.stop()


async def test_a_server_left_by_kill_9_is_adopted_and_stopped(embedded: EmbeddedPostgres) -> None:
    async with program(embedded.folder) as (other, dsn):
        await write_a_row(dsn)
        other.kill()
        await other.wait()
    adopted = await embedded.start()
    assert adopted == dsn
    assert await rows(adopted) == ["here"]
    await embedded.stop()
    assert list(embedded_postmaster._processes(place(embedded))) == []


async def test_adoption_keeps_the_process_and_its_connections(embedded: EmbeddedPostgres) -> None:
    async with connected(await embedded.start()) as connection:
        before = server(embedded)
        successor = die(embedded)
        await successor.start()
        assert server(successor) == before
        assert await connection.fetchval("select 1") == 1
    await successor.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
async def test_a_killed_server_recovers_at_the_next_start(embedded: EmbeddedPostgres, number: int) -> None:
    await write_a_row(await embedded.start())
    os.kill(server(embedded), number)
    successor = die(embedded)
    assert await rows(await successor.start()) == ["here"]
    await successor.stop()


async def test_a_server_that_does_not_answer_is_replaced(embedded: EmbeddedPostgres) -> None:
    await write_a_row(await embedded.start())
    before = server(embedded)
    (place(embedded).socket / ".s.PGSQL.5432").unlink()
    successor = die(embedded)
    assert await rows(await successor.start()) == ["here"]
    assert server(successor) != before
    await successor.stop()


async def test_a_stale_pid_file_with_somebody_elses_number_is_no_obstacle(embedded: EmbeddedPostgres) -> None:
    await write_a_row(await embedded.start())
    pid_file = place(embedded).data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    await embedded.stop()
    sleeper = await asyncio.create_subprocess_exec("sleep", "60", user=place(embedded).user.uid)
    pid_file.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
    assert await rows(await embedded.start()) == ["here"]
    sleeper.kill()
    await sleeper.wait()


async def test_the_watch_starts_a_dead_server_again_at_the_same_address(embedded: EmbeddedPostgres) -> None:
    dsn = await embedded.start()
    await write_a_row(dsn)
    watch = asyncio.create_task(embedded.watch())
    os.kill(server(embedded), signal.SIGKILL)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                assert await rows(dsn) == ["here"]
                break
            await asyncio.sleep(0.05)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch


async def test_a_second_program_is_refused_with_one_line(embedded: EmbeddedPostgres) -> None:
    dsn = await embedded.start()
    second = EmbeddedPostgres(embedded.folder)
    with pytest.raises(PostgresRefused, match=r"^Another Fast-Flow runs on the database in .*$"):
        await second.start()
    await second.stop()
    async with connected(dsn) as connection:
        assert await connection.fetchval("select 1") == 1


async def test_another_major_version_is_refused_with_the_way_out(embedded: EmbeddedPostgres) -> None:
    await embedded.start()
    await embedded.stop()
    (place(embedded).data / "PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresRefused, match="made by PostgreSQL 17, this is 18: dump it"):
        await embedded.start()


async def test_a_start_that_fails_says_why_and_frees_the_folder(embedded: EmbeddedPostgres) -> None:
    await embedded.start()
    await embedded.stop()
    control = place(embedded).data / "global" / "pg_control"
    control.rename(control.with_suffix(".away"))
    with pytest.raises(PostgresRefused, match=r"did not start in .*pg_control"):
        await embedded.start()
    control.with_suffix(".away").rename(control)
    await embedded.start()


async def test_a_half_made_cluster_is_made_anew(embedded: EmbeddedPostgres) -> None:
    draft = embedded.folder / "draft-of-a-killed-program"
    (embedded.folder / "data").rename(draft)
    await write_a_row(await embedded.start())
    assert not draft.exists()


async def test_a_cluster_without_its_database_gets_it(embedded: EmbeddedPostgres) -> None:
    await write_a_row(await embedded.start())
    await embedded.stop()
    place(embedded).complete.unlink()
    assert await rows(await embedded.start()) == ["here"]
