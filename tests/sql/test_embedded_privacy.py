"""Who may reach the embedded PostgreSQL, and what it does where its own user may not go."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from sql import embedded_package, embedded_place, embedded_settings
from sql.embedded import EmbeddedPostgres
from sql.embedded_process import PostgresRefused
from sql.embedded_user import User, lets_through
from tests.sql.embedded_world import connected, die, place, program, rows, write_a_row

pytestmark = pytest.mark.postgres

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = User(65534, 65534, "nobody")


@ROOT
async def test_other_users_cannot_connect(embedded: EmbeddedPostgres) -> None:
    socket = (await embedded.start()).partition("host=")[2]
    place(embedded).socket.chmod(0o755)
    (Path(socket) / ".s.PGSQL.5432").chmod(0o777)
    for name in ("nobody", place(embedded).user.name):
        other = pwd.getpwnam(name)
        psql = await asyncio.create_subprocess_exec(
            *(place(embedded).package.program("psql"), "-h", socket, "-U", "fastflow", "-c", "select 1"),
            user=other.pw_uid,
            group=other.pw_gid,
            extra_groups=[],
            env={"LC_ALL": "C"},
            cwd="/",
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await psql.communicate()
        assert b'Peer authentication failed for user "fastflow"' in complaint


@ROOT
async def test_a_private_home_stays_private(public_folder: Path, system_folder: Path) -> None:
    home = public_folder / "home"
    home.mkdir(mode=0o700)
    embedded = EmbeddedPostgres(home / "data" / "postgres")
    embedded.folder.mkdir(parents=True)
    await write_a_row(await embedded.start())
    await embedded.stop()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert embedded.folder.resolve().parent == system_folder / "clusters"
    assert stat.S_IMODE(embedded.folder.resolve().stat().st_mode) == 0o700
    assert await rows(await embedded.start()) == ["here"]
    await embedded.remove()
    assert list((system_folder / "clusters").iterdir()) == []


@ROOT
@pytest.mark.parametrize("temporary", ["/", "/nonexistent"])
async def test_only_what_a_temporary_folder_left_is_swept(
    public_folder: Path, system_folder: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: temporary)
    first, second = (EmbeddedPostgres(public_folder / name / "postgres") for name in ("first", "second"))
    for embedded in (first, second):
        embedded.folder.parent.mkdir(mode=0o700)
        await embedded.start()
        await embedded.stop()
        embedded.folder.unlink()
    left = {folder.name for folder in (system_folder / "clusters").iterdir()}
    assert len(left) == (1 if temporary == "/" else 2)


@ROOT
async def test_removing_a_private_data_folder_means_a_fresh_start(
    public_folder: Path, system_folder: Path
) -> None:
    home = public_folder / "home"
    home.mkdir(mode=0o700)
    embedded = EmbeddedPostgres(home / "postgres")
    await write_a_row(await embedded.start())
    embedded.folder.unlink()
    successor = die(embedded)
    async with connected(await successor.start()) as connection:
        assert await connection.fetchval("select to_regclass('kept')") is None
    await successor.remove()
    assert [folder.suffix for folder in (system_folder / "clusters").iterdir()] == [".old"]


@ROOT
async def test_programs_in_a_private_home_are_copied_once(
    public_folder: Path, system_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = embedded_package.installed()
    private = embedded_package.Package(public_folder / "home" / "site-packages", package.version)
    private.folder.mkdir(parents=True)
    private.folder.parent.chmod(0o700)
    shutil.copytree(package.libraries, private.libraries)
    shutil.copytree(package.installation, private.installation)
    monkeypatch.setattr(embedded_place, "installed", lambda: private)
    previous = os.umask(0o077)
    embedded = EmbeddedPostgres(public_folder / "postgres")
    await embedded.start()
    os.umask(previous)
    assert place(embedded).package.folder == system_folder / f"postgresql-{package.version}"
    made = place(embedded).package.folder.stat().st_mtime_ns
    await embedded.stop()
    await embedded.start()
    assert place(embedded).package.folder.stat().st_mtime_ns == made
    await embedded.remove()
    assert {entry.name for entry in os.scandir(system_folder)} == {f"postgresql-{package.version}"}


@ROOT
async def test_a_cluster_that_became_unreachable_is_refused_with_the_reason(public_folder: Path) -> None:
    embedded = EmbeddedPostgres(public_folder / "home" / "postgres")
    await embedded.start()
    await embedded.stop()
    embedded.folder.parent.chmod(0o700)
    with pytest.raises(PostgresRefused, match="a folder above it is private"):
        await embedded.start()


@ROOT
async def test_an_ordinary_user_starts_it_as_himself_and_root_takes_it_over(public_folder: Path) -> None:
    python = "/usr/bin/python3"
    paths = [str(Path(embedded_place.__file__).parents[1]), str(embedded_package.installed().folder)]
    if not all(lets_through(Path(path) / "sql", NOBODY) for path in [*paths, python]):
        pytest.skip("this checkout lies in a private home, another user cannot run it")
    home = public_folder / "nobody"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.uid, NOBODY.gid)
    environment = {"PYTHONPATH": ":".join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    rights = {"user": NOBODY.uid, "group": NOBODY.gid, "extra_groups": []}
    async with program(home / "postgres", python, env=environment, **rights) as (_, dsn):
        runtime = Path(dsn.partition("host=")[2]).parent
        assert runtime.parent.name == f"fastflow-{NOBODY.uid}"
        assert runtime.stat().st_uid == NOBODY.uid
    embedded = EmbeddedPostgres(home / "postgres")
    async with connected(await embedded.start()) as connection:
        assert await connection.fetchval("select current_user") == "fastflow"
    assert place(embedded).user.uid == NOBODY.uid
    await embedded.remove()
    shutil.rmtree(runtime.parent)


async def test_without_the_wheel_the_refusal_names_both_ways_out(
    public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PostgresRefused, match=r"set DATABASE_URL, or install .*fastflow\[embedded\]"):
        await EmbeddedPostgres(public_folder / "postgres").start()


def test_odd_characters_cannot_leave_their_place_in_the_settings() -> None:
    settings = embedded_settings.configuration(name="a'b", socket="c\\d", hba="h", ident="i")
    assert "cluster_name = 'a''b'" in settings
    assert "unix_socket_directories = 'c\\\\d'" in settings
    assert embedded_settings.identities('x"y') == 'program "x""y" fastflow\n'
