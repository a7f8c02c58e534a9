"""Where one cluster lives on this machine: its folder, its settings, its socket, its lock."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import itertools
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from sql import embedded_settings
from sql.embedded_package import SYSTEM_FOLDER, Package, installed, make_folder, usable
from sql.embedded_process import PostgresRefused
from sql.embedded_user import User, lets_through, ourselves, server_user

RUNTIME_FOLDER: Final = Path("/run/fastflow")
_ORIGIN: Final = "origin"
"""Names the file that names the folder a cluster is linked from."""
_SWEPT_MAX: Final = 3
"""Left clusters removed at one start, which must not become long."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Everything about a cluster that is the same at every start."""

    user: User
    package: Package
    folder: Path
    """Private to the server's user: data, log, lock."""
    runtime: Path
    """Ours: the settings, and the folder of the socket."""

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.folder / "data"

    @property
    def complete(self) -> Path:
        """A mark: the cluster has its database."""
        return self.folder / "complete"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def settings(self) -> Path:
        """The server's configuration."""
        return self.runtime / "postgresql.conf"

    @property
    def socket(self) -> Path:
        """The folder of the socket, private to the server's user."""
        return self.runtime / "socket"

    @property
    def name(self) -> str:
        """What its processes are called, to tell them from other servers'."""
        return f"fastflow-{self.runtime.name}"


async def settle(folder: Path) -> Place:
    """Find or make the cluster's folder and everybody's part in it. Raises PostgresRefused."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder = folder.parent.resolve() / folder.name
    user = await server_user(folder)
    package = await usable(installed(), user)
    home = _home(folder, user)
    _make_private(home, user)
    if home != folder and not folder.is_symlink():
        (home / _ORIGIN).write_text(str(folder))
        folder.symlink_to(home)
    return Place(user, package, home, _runtime(home))


def hold(place: Place) -> int:
    """Lock the cluster for this program as long as the returned file is open. Raises PostgresRefused."""
    lock = os.open(place.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise PostgresRefused(
            f"Another Fast-Flow runs on the database in {place.folder}: stop it, or set another DATA_DIR"
        ) from None
    return lock


def write_settings(place: Place) -> None:
    """Write down what the server reads when it starts, and make the socket's folder."""
    make_folder(place.runtime, 0o711)
    make_folder(place.socket, 0o700)
    os.chown(place.socket, place.user.uid, place.user.gid)
    hba, ident = place.runtime / "pg_hba.conf", place.runtime / "pg_ident.conf"
    written = {
        hba: embedded_settings.connections(),
        ident: embedded_settings.identities(ourselves().name),
        place.settings: embedded_settings.configuration(
            name=place.name, socket=str(place.socket), hba=str(hba), ident=str(ident)
        ),
    }
    for path, text in written.items():
        path.write_text(text)
        path.chmod(0o644)


def _home(folder: Path, user: User) -> Path:
    if folder.is_symlink():
        return folder.resolve()
    if lets_through(folder, user):
        return folder
    if folder.exists() and not _removed_if_empty(folder):
        raise PostgresRefused(
            f"User {user.name} cannot reach the database in {folder}: a folder above it is private"
        )
    clusters = SYSTEM_FOLDER / "clusters"
    make_folder(SYSTEM_FOLDER, 0o755)
    make_folder(clusters, 0o711)
    for left in itertools.islice(filter(_is_temporary_and_left, list(clusters.iterdir())), _SWEPT_MAX):
        shutil.rmtree(left, ignore_errors=True)
    home = clusters / _digest(folder)
    if home.exists():
        # The folder was removed, and with it the link here: a fresh start is meant. The last one is kept.
        aside = home.with_suffix(".old")
        shutil.rmtree(aside, ignore_errors=True)
        home.rename(aside)
    return home


def _is_temporary_and_left(cluster: Path) -> bool:
    """Whether a cluster belonged to a temporary folder that is gone: nobody will come back for it."""
    try:
        origin = Path((cluster / _ORIGIN).read_text())
    except OSError:
        return False
    return origin.is_relative_to(tempfile.gettempdir()) and not os.path.lexists(origin)


def _removed_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _make_private(home: Path, user: User) -> None:
    make_folder(home, stat.S_IRWXU)
    found = home.stat()
    if found.st_uid != user.uid:
        if found.st_uid != os.geteuid():
            raise PostgresRefused(f"The database in {home} is another user's: start as that user or as root")
        os.chown(home, user.uid, user.gid)
    if stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        home.chmod(stat.S_IRWXU)


def _runtime(home: Path) -> Path:
    base = RUNTIME_FOLDER
    if not os.access(base.parent, os.W_OK):
        base = Path(f"/tmp/fastflow-{os.geteuid()}")  # noqa: S108 - checked below to be ours alone
    make_folder(base, 0o711)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PostgresRefused(f"{base} is not a folder that only we can write to: remove it")
    return base / _digest(home)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
