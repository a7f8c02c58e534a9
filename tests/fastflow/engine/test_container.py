"""The container document, whole; and no job loosens it."""

# ruff: noqa: S108 - the container's own scratch space

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.engine import Job, Mount
from fastflow.engine.container import Machine, MountRefused, container_document

MACHINE = Machine(cores=4, memory_bytes=8 << 30, bridge="fastflow")
JOB = Job(
    name="ff-1b2c-run-1",
    image="fastflow-worker:3.11",
    command=("/envs/abc/bin/python", "/app/main.py"),
    env={"TABLE": "sales", "HOME": "/tmp/home"},
    labels={"fastflow-instance": "1b2c", "fastflow-run-id": "run", "fastflow-attempt": "1"},
    mounts=(Mount("/data/snapshots/s1", "/app"), Mount("/data/envs/abc", "/envs/abc")),
    cpu_limit=1.5,
    memory_limit_bytes=512 << 20,
    log_bytes_max=100 << 20,
    stop_grace_seconds=2.5,
)


def test_the_document_whole() -> None:
    assert container_document(JOB, MACHINE) == {
        "Image": "fastflow-worker:3.11",
        "Entrypoint": [],
        "Cmd": ["/envs/abc/bin/python", "/app/main.py"],
        "Env": ["HOME=/tmp/home", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "TABLE=sales"],
        "Labels": {"fastflow-instance": "1b2c", "fastflow-run-id": "run", "fastflow-attempt": "1"},
        "User": "1001:1001",
        "WorkingDir": "/app",
        "Tty": False,
        "OpenStdin": False,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGTERM",
        "StopTimeout": 3,
        "HostConfig": {
            "Init": True,
            "AutoRemove": False,
            "RestartPolicy": {"Name": "no"},
            "Privileged": False,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": [],
            "SecurityOpt": ["no-new-privileges"],
            "Devices": [],
            "Binds": [],
            "IpcMode": "private",
            "PidMode": "",
            "UTSMode": "",
            "UsernsMode": "",
            "NetworkMode": "fastflow",
            "PublishAllPorts": False,
            "Memory": 512 << 20,
            "MemorySwap": 512 << 20,
            "NanoCpus": 1_500_000_000,
            "PidsLimit": 512,
            "OomScoreAdj": 500,
            "ShmSize": 64 << 20,
            "Ulimits": [
                {"Name": "nofile", "Soft": 4096, "Hard": 4096},
                {"Name": "core", "Soft": 0, "Hard": 0},
            ],
            "Tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,size={256 << 20},mode=1777"},
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/data/snapshots/s1",
                    "Target": "/app",
                    "ReadOnly": True,
                    "BindOptions": {"Propagation": "rprivate"},
                },
                {
                    "Type": "bind",
                    "Source": "/data/envs/abc",
                    "Target": "/envs/abc",
                    "ReadOnly": True,
                    "BindOptions": {"Propagation": "rprivate"},
                },
            ],
            "LogConfig": {
                "Type": "local",
                "Config": {"max-size": str(400 << 20), "max-file": "2", "compress": "false"},
            },
        },
    }


def test_a_job_without_limits_leaves_the_machine_some_memory_and_may_use_all_cores() -> None:
    host = host_of(dataclasses.replace(JOB, cpu_limit=None, memory_limit_bytes=None))
    assert host["Memory"] == host["MemorySwap"] == 6 << 30
    assert host["NanoCpus"] == 4_000_000_000
    assert host["Tmpfs"] == {"/tmp": f"rw,nosuid,nodev,noexec,size={1 << 30},mode=1777"}


def test_a_job_asking_for_more_cores_than_there_are_gets_all() -> None:
    assert host_of(dataclasses.replace(JOB, cpu_limit=64))["NanoCpus"] == 4_000_000_000


def test_a_job_without_a_network_has_none() -> None:
    assert host_of(dataclasses.replace(JOB, network="none"))["NetworkMode"] == "none"


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/var",
        "/var/run",
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/proc/1/root",
        "/sys",
        "/dev/mem",
        "/data/../run/docker.sock",
        "//run/docker.sock",
        "/data/",
        "data",
        "",
    ],
)
def test_folders_that_lead_to_the_machines_control_are_never_shown(source: str) -> None:
    with pytest.raises(MountRefused):
        host_of(dataclasses.replace(JOB, mounts=(Mount(source, "/app"),)))


@pytest.mark.parametrize("target", ["/", "/usr/local/bin", "/proc", "/bin", "/etc/..", "app"])
def test_folders_the_container_needs_are_never_hidden(target: str) -> None:
    with pytest.raises(MountRefused):
        host_of(dataclasses.replace(JOB, mounts=(Mount("/data/app", target),)))


words = st.text(max_size=12)
folders = st.one_of(
    words, words.map(lambda name: f"/{name}"), st.just("/run/docker.sock"), st.just("/data/app")
)
jobs = st.builds(
    Job,
    name=words,
    image=words,
    command=st.tuples(words, words),
    env=st.dictionaries(words, words),
    labels=st.dictionaries(words, words),
    mounts=st.lists(st.builds(Mount, folders, folders), max_size=2).map(tuple),
    cpu_limit=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    memory_limit_bytes=st.one_of(st.none(), st.integers()),
    network=st.sampled_from(["bridge", "none"]),
    log_bytes_max=st.integers(1),
    stop_grace_seconds=st.floats(0, 1e9),
)
LOOSE = ("Memory", "MemorySwap", "NanoCpus", "Tmpfs", "Mounts", "LogConfig", "NetworkMode")


@given(jobs)
def test_no_job_loosens_anything(job: Job) -> None:
    try:
        document = container_document(job, MACHINE)
    except MountRefused:
        return
    normal = container_document(JOB, MACHINE)
    host, normal_host = document.pop("HostConfig"), normal.pop("HostConfig")
    assert {k: v for k, v in host.items() if k not in LOOSE} == {
        k: v for k, v in normal_host.items() if k not in LOOSE
    }
    for own in ("Image", "Cmd", "Env", "Labels", "StopTimeout"):
        document.pop(own)
        normal.pop(own)
    assert document == normal
    assert host["MemorySwap"] == host["Memory"] >= 6 << 20
    assert 0 < host["NanoCpus"] <= 4_000_000_000
    assert host["NetworkMode"] in {"none", "fastflow"}
    assert list(host["Tmpfs"]) == ["/tmp"]
    assert host["Tmpfs"]["/tmp"].startswith("rw,nosuid,nodev,noexec,size=")
    assert host["LogConfig"]["Type"] == "local"
    for mount in host["Mounts"]:
        assert mount["Type"] == "bind"
        assert not mount["Source"].startswith(("/run", "/var/run", "/proc", "/sys", "/dev"))


def host_of(job: Job) -> dict[str, Any]:
    host: dict[str, Any] = container_document(job, MACHINE)["HostConfig"]
    return host
