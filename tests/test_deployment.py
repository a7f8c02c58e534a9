"""The Dockerfile and compose.yaml say the same as the program."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fastflow.machine import image

ROOT = Path(__file__).parents[1]
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def services() -> dict[str, Any]:
    # Comes with uvicorn's extras, without types.
    read: dict[str, dict[str, Any]] = importlib.import_module("yaml").safe_load(COMPOSE)
    return read["services"]


def stage(name: str) -> str:
    found = re.search(rf"^FROM (\S+) AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found, f"no stage {name}"
    return found[2]


def test_a_password_has_to_be_chosen() -> None:
    given = set(re.findall(r"\$\{(POSTGRES_PASSWORD[^}]*)\}", COMPOSE))
    assert any(text.startswith("POSTGRES_PASSWORD:?") for text in given)
    assert not any(":-" in text or text.startswith("POSTGRES_PASSWORD-") for text in given)


def test_the_data_folder_has_one_path_inside_and_outside(services: dict[str, Any]) -> None:
    data = services["app"]["environment"]["DATA_DIR"]
    assert f"{data}:{data}" in services["app"]["volumes"]
    assert "/var/run/docker.sock:/var/run/docker.sock" in services["app"]["volumes"]


def test_the_program_waits_for_a_healthy_database_and_has_time_to_stop(services: dict[str, Any]) -> None:
    assert services["app"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services["postgres"]["image"] == "postgres:18"
    assert "pg_isready" in services["postgres"]["healthcheck"]["test"]
    assert {services[name].get("stop_grace_period") for name in ("app", "postgres")} == {"30s", "60s"}


def test_only_this_machine_can_connect(services: dict[str, Any]) -> None:
    assert services["app"]["network_mode"] == "host"
    assert "HOST" not in services["app"]["environment"]
    assert not any("ports" in service for service in services.values())


def test_what_is_built_exists(services: dict[str, Any]) -> None:
    for name in ("app", "worker-image"):
        assert stage(services[name]["build"]["target"])
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", stage("build"), re.MULTILINE):
        for path in source.split():
            assert (ROOT / path).exists(), path


def test_the_worker_needs_nothing_but_the_dockerfile() -> None:
    worker = stage("worker")
    assert not re.search(r"^(COPY|ADD) |--mount", worker, re.MULTILINE)


def test_both_ways_to_the_worker_image_configure_it_alike() -> None:
    worker = stage("worker")
    for instruction in image.CONFIGURATION:
        keyword, _, value = instruction.partition(" ")
        if not value.startswith("PATH="):
            assert re.search(rf"^{keyword} .*{re.escape(value)}", worker, re.MULTILINE), instruction


def test_compose_itself_finds_no_fault() -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine has no docker compose")
    command = [docker, "compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    subprocess.run(command, check=True, env={"POSTGRES_PASSWORD": "x", "PATH": "/usr/bin:/bin"})
