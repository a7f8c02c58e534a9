"""Our own PostgreSQL, when no `DATABASE_URL` names another: started with the program, stopped with it.

The server is no child of ours: it survives a kill -9 of the program, and the next start finds and keeps it.
So one way leads to a running server, whether it was started now, adopted, or is recovering from a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

import structlog

from sql import embedded_settings
from sql.embedded_place import Place, hold, settle, write_settings
from sql.embedded_postmaster import POLL_SECONDS, Postmaster, alive, clear_orphans, halt, interrupt, running
from sql.embedded_process import PostgresRefused, run, run_as, start_as

_READY_SECONDS: Final = 300.0
"""A recovery replays at most a few gigabytes of log."""
_INITIALISE_SECONDS: Final = 180.0
_ANSWER_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 0.5
_WATCH_PAUSE_SECONDS: Final = 5.0
_INITIALISE: Final = (
    f"--username={embedded_settings.ROLE}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=peer",
    "--auth-host=reject",
    "--no-instructions",
)
_DRAFT: Final = "draft-"

_log = structlog.get_logger()


class EmbeddedPostgres:
    """PostgreSQL 18 on a folder, behind a Unix socket that only this program's user can open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place: Place | None = None
        self._lock: int | None = None

    async def start(self) -> str:
        """Start the server, or keep the one that runs, and return its DSN. Raises PostgresRefused."""
        try:
            place = await settle(self.folder)
            self._lock = hold(place)
            self._place = place
            await self._bring_up(place)
        except BaseException as error:
            self._give_up()
            if isinstance(error, OSError):
                raise PostgresRefused(f"The database cannot live in {self.folder}: {error}") from None
            raise
        return embedded_settings.address(str(place.socket))

    async def stop(self) -> None:
        """Stop the server, also an adopted one, and leave nothing running; stopping twice changes nothing."""
        place, lock = self._place, self._lock
        if place is None or lock is None:
            return
        if server := running(place):
            await halt(place, server.pid)
        shutil.rmtree(place.runtime, ignore_errors=True)
        os.close(lock)
        self._lock = None

    async def watch(self) -> None:
        """Start the server again whenever it has died; runs between `start` and `stop`, until cancelled."""
        place = self._place
        while place is not None:
            await asyncio.sleep(_WATCH_SECONDS)
            if running(place):
                continue
            _log.warning("embedded_database.died", folder=str(place.folder))
            try:
                await self._bring_up(place)
            except (PostgresRefused, OSError) as error:
                _log.error("embedded_database.not_restarted", reason=str(error))
                await asyncio.sleep(_WATCH_PAUSE_SECONDS)
            else:
                _log.info("embedded_database.restarted", folder=str(place.folder))

    async def remove(self) -> None:
        """Stop the server and delete the database: for tests, and for whoever wants to start over."""
        await self.stop()
        if self._place is not None:
            shutil.rmtree(self._place.folder, ignore_errors=True)
        if self.folder.is_symlink():
            self.folder.unlink()

    async def found(self) -> str | None:
        """The DSN of the server that a running program keeps on this folder, if there is one."""
        if not _exists(self.folder):
            return None
        place = await settle(self.folder)
        server = running(place)
        return embedded_settings.address(server.socket) if server and server.status == "ready" else None

    async def _bring_up(self, place: Place) -> None:
        _refuse_other_version(place)
        for leftover in place.folder.glob(f"{_DRAFT}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if not place.data.exists():
            await _initialise(place)
        if not await _adopted(place):
            await _launch(place)
        if not place.complete.exists():
            await _create_database(place)

    def _give_up(self) -> None:
        if self._place is None or self._lock is None:
            return
        if server := running(self._place):
            interrupt(self._place, server.pid)
        os.close(self._lock)
        self._lock = None


def _exists(folder: Path) -> bool:
    return folder.exists()


def _refuse_other_version(place: Place) -> None:
    version = place.data / "PG_VERSION"
    if version.exists() and (major := version.read_text().strip()) != place.package.major:
        raise PostgresRefused(
            f"The database in {place.folder} was made by PostgreSQL {major}, this is {place.package.major}: "
            "dump it with the Fast-Flow that made it (pg_dump), move it away, restore the dump here (psql)"
        )


async def _initialise(place: Place) -> None:
    """Make the cluster beside its place and move it there whole, so that a half-made one is never found."""
    place.complete.unlink(missing_ok=True)
    draft = place.folder / f"{_DRAFT}{secrets.token_hex(4)}"
    command: list[str | Path] = [place.package.program("initdb"), "-D", draft, *_INITIALISE]
    await run_as(place.user.uid, place.user.gid, command, seconds=_INITIALISE_SECONDS)
    draft.rename(place.data)


async def _adopted(place: Place) -> bool:
    """Whether a server that was left running serves us; one that does not is ended."""
    server = running(place)
    if server is None:
        return False
    with contextlib.suppress(PostgresRefused):
        server = await _ready(place, server.pid)
        if server.socket == str(place.socket):
            question: list[str | Path] = [
                place.package.program("pg_isready"),
                "-q",
                "-h",
                place.socket,
                "-t",
                "5",
            ]
            await run(question, seconds=_ANSWER_SECONDS)
            return True
    await halt(place, server.pid)
    return False


async def _launch(place: Place) -> None:
    await clear_orphans(place)
    _forget_the_dead(place)
    write_settings(place)
    command: list[str | Path] = [
        place.package.program("postgres"),
        "-D",
        place.data,
        "-c",
        f"config_file={place.settings}",
    ]
    said = place.log.stat().st_size if place.log.exists() else 0
    pid = await start_as(place.user.uid, place.user.gid, command, place.log)
    try:
        await _ready(place, pid)
    except PostgresRefused as refusal:
        words = _last_words(place, said) or str(refusal)
        raise PostgresRefused(f"PostgreSQL did not start in {place.folder}: {words}") from None


def _forget_the_dead(place: Place) -> None:
    """Called when no process of the cluster is left: the number in its lock files may by now be another's."""
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    shutil.rmtree(place.runtime, ignore_errors=True)


async def _ready(place: Place, pid: int) -> Postmaster:
    """Wait until the server says in its pid file that it takes connections. Raises PostgresRefused."""
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while alive(pid, place):
                server = running(place)
                if server and server.pid == pid and server.status == "ready":
                    return server
                if server and server.status == "stopping":
                    break
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise PostgresRefused(f"PostgreSQL was not ready within {_READY_SECONDS:.0f} seconds") from None
    raise PostgresRefused("PostgreSQL ended while it started")


def _last_words(place: Place, said: int) -> str:
    with contextlib.suppress(OSError), place.log.open(errors="replace") as log:
        log.seek(said)
        told = log.read().splitlines()
        fatal = [line for line in told if "FATAL" in line or "PANIC" in line]
        if words := [*told[-1:], *fatal]:
            return words[-1].partition("  ")[2] or words[-1]
    return ""


async def _create_database(place: Place) -> None:
    options = ["-h", str(place.socket), "-U", embedded_settings.ROLE, "--maintenance-db=postgres"]
    command: list[str | Path] = [place.package.program("createdb"), *options, embedded_settings.DATABASE]
    try:
        await run(command, seconds=_ANSWER_SECONDS)
    except PostgresRefused as refusal:
        if "already exists" not in str(refusal):
            raise
    place.complete.touch()
