"""An embedded PostgreSQL of the test's own, in a folder that its unprivileged user can reach."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sql import embedded_package, embedded_place
from sql.embedded import EmbeddedPostgres


@pytest.fixture
def public_folder() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
async def cluster() -> AsyncIterator[Path]:
    """A cluster made once, stopped: copying it is quicker than making another."""
    with reachable_folder() as folder:
        embedded = EmbeddedPostgres(folder / "postgres")
        await embedded.start()
        await embedded.stop()
        yield embedded.folder
        await embedded.remove()


@pytest.fixture
async def embedded(public_folder: Path, cluster: Path) -> AsyncIterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(public_folder / "data" / "postgres")
    embedded.folder.parent.mkdir()
    subprocess.run(["cp", "-a", cluster, embedded.folder], check=True)  # noqa: ASYNC221 - nothing else runs
    yield embedded
    await embedded.remove()


@pytest.fixture
def system_folder(public_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What takes the place of /var/lib/fastflow, and no folder counts as temporary."""
    folder = public_folder / "system"
    monkeypatch.setattr(embedded_package, "SYSTEM_FOLDER", folder)
    monkeypatch.setattr(embedded_place, "SYSTEM_FOLDER", folder)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/nonexistent")
    return folder


@contextlib.contextmanager
def reachable_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fastflow-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
