"""What goes into an image made of Debian packages."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from fastflow.machine import debian
from fastflow.machine.command import MachineNotReady


def program(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    path = folder / "uv"
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_a_script_that_stands_in_for_uv_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = program(tmp_path / "shims", b"#!/bin/sh\nexec real-uv\n")
    real = program(tmp_path / "bin", b"\x7fELF...")
    monkeypatch.setenv("PATH", os.pathsep.join([str(script.parent), "", str(real.parent)]))
    monkeypatch.setenv("UV", str(script))
    assert debian.uv_program() == real


def test_the_uv_that_started_us_is_the_first_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, other = program(tmp_path / "told", b"\x7fELF"), program(tmp_path / "other", b"\x7fELF")
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setenv("UV", str(told))
    assert debian.uv_program() == told


def test_without_uv_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("UV", raising=False)
    with pytest.raises(MachineNotReady, match="pip install uv"):
        debian.uv_program()


async def test_the_file_system_is_packed_with_its_owners_and_removed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"x" * 3_000_000)
    async with debian._packed(root) as tar:
        (tmp_path / "tar").write_bytes(b"".join([piece async for piece in tar]))
    with tarfile.open(tmp_path / "tar") as packed:
        assert packed.getnames() == [".", "./file"]
        assert packed.getmember("./file").size == 3_000_000
    await debian._remove(root)
    assert not root.exists()


async def test_only_root_is_asked_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineNotReady, match="only root can make an image"):
        async with debian.assembled(lambda _: None):
            raise AssertionError
