"""Whom the embedded server's processes belong to, and where that user may go."""

from __future__ import annotations

import dataclasses
import os
import pwd
import shutil
import stat
from pathlib import Path
from typing import Final

from sql.embedded_process import PostgresRefused, run

NEW_USER: Final = "fastflow-postgres"
KNOWN_USERS: Final = (NEW_USER, "postgres")
LAST_RESORT: Final = "nobody"
_USERADD_SECONDS: Final = 20.0


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A user of this machine."""

    uid: int
    gid: int
    name: str


def ourselves() -> User:
    """Who this program runs as. Raises PostgresRefused when the machine has no name for us."""
    uid = os.geteuid()
    try:
        return _user(pwd.getpwuid(uid))
    except KeyError:
        raise PostgresRefused(
            f"The embedded PostgreSQL needs a user with a name, and {uid} has none here: set DATABASE_URL"
        ) from None


async def server_user(folder: Path) -> User:
    """Ourselves; as root the owner of the cluster there is, else a user for such work, made if need be."""
    us = ourselves()
    if us.uid:
        return us
    known = _owner(folder) or _first_known(*KNOWN_USERS)
    return known or await _created() or _first_known(LAST_RESORT) or _nobody_at_all()


def lets_through(path: Path, user: User) -> bool:
    """Whether this user can walk to a path: every folder above it lets him through."""
    return all(may(folder, user, stat.S_IXOTH) for folder in path.resolve().parents)


def may(path: Path, user: User, rights: int) -> bool:
    """Whether a file's mode gives this user those rights (a sum of 4 read, 2 write, 1 execute)."""
    if user.uid == os.geteuid():
        return os.access(path, rights)
    found = path.stat()
    shift = 6 if found.st_uid == user.uid else 3 if found.st_gid == user.gid else 0
    return found.st_mode >> shift & rights == rights


def _user(entry: pwd.struct_passwd) -> User:
    return User(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _owner(folder: Path) -> User | None:
    uid = folder.stat().st_uid if folder.exists() else 0
    try:
        return _user(pwd.getpwuid(uid)) if uid else None
    except KeyError:
        raise PostgresRefused(
            f"The database belongs to user {uid}, who has no name on this machine"
        ) from None


def _first_known(*names: str) -> User | None:
    for name in names:
        try:
            return _user(pwd.getpwnam(name))
        except KeyError:
            continue
    return None


async def _created() -> User | None:
    useradd = shutil.which("useradd")
    if useradd is None:
        return None
    options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
    try:
        await run([useradd, *options, "--shell", "/usr/sbin/nologin", NEW_USER], seconds=_USERADD_SECONDS)
    except PostgresRefused:
        # Another program may have made it at the same moment; else the last resort serves.
        return _first_known(NEW_USER)
    return _first_known(NEW_USER)


def _nobody_at_all() -> User:
    raise PostgresRefused("PostgreSQL does not run as root and there is no other user here: set DATABASE_URL")
