"""The one place where a job becomes a container: the whole document, hardened; a job loosens nothing of it.

A job without a memory limit gets three quarters of the machine's memory, because one script must not take the
last byte; the scratch space at /tmp counts in a job's memory, so it is at most half of it. A job without a
CPU limit may use all cores, and one that asks for more than there are gets all: the engine refuses more.
"""

from __future__ import annotations

import dataclasses
import math
import posixpath
from typing import Any

from fastflow.engine import EngineRefused, Job, Mount

MEMORY_MIN_BYTES = 6 << 20
CORES_MIN = 0.01
"""Docker refuses less."""
SCRATCH_BYTES_MAX = 1 << 30
SHARED_MEMORY_BYTES = 64 << 20
PIDS_MAX = 512
OPEN_FILES_MAX = 4_096
"""Said outright, because engines differ, and low, because one above the engine's own limit starts nothing."""
LOG_SIZE_FACTOR = 4
"""The engine keeps about 30 bytes beside each line: four times the limit holds lines of 10 bytes each."""

ENV = {
    "HOME": "/tmp",  # noqa: S108 - the container's own, the only place it can write
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}

NEVER_SHOWN = ("/boot", "/dev", "/proc", "/run", "/sys", "/var/lib/containerd", "/var/lib/docker", "/var/run")
"""Folders of this machine that lead to its control, the engine's socket among them."""

NEVER_HIDDEN = ("/bin", "/dev", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr")
"""Folders of the container that no mount may replace."""


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What the engine's machine has to give."""

    cores: int
    memory_bytes: int
    bridge: str
    """The network of jobs that have one: containers on it do not see one another."""


class MountRefused(EngineRefused):
    """This folder is never shown to a container."""


def container_document(job: Job, machine: Machine) -> dict[str, Any]:
    """The body of the engine's create call."""
    return {
        "Image": job.image,
        "Entrypoint": [],
        "Cmd": list(job.command),
        "Env": [f"{name}={value}" for name, value in sorted({**ENV, **job.env}.items())],
        "Labels": dict(job.labels),
        "User": "1001:1001",
        "WorkingDir": "/app",
        "Tty": False,
        "OpenStdin": False,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGTERM",
        "StopTimeout": math.ceil(job.stop_grace_seconds),
        "HostConfig": _host(job, machine),
    }


def _host(job: Job, machine: Machine) -> dict[str, Any]:
    return {
        **_alone(),
        **_limits(job, machine),
        "NetworkMode": machine.bridge if job.network == "bridge" else "none",
        "Mounts": [_mount(mount) for mount in job.mounts],
        "LogConfig": {
            "Type": "local",  # json-file damages bytes that are not UTF-8
            "Config": {
                "max-size": str(job.log_bytes_max * LOG_SIZE_FACTOR),
                "max-file": "2",
                "compress": "false",
            },
        },
    }


def _alone() -> dict[str, Any]:
    """What keeps a container to itself; nothing here depends on the job."""
    return {
        "Init": True,  # Python as process 1 ignores TERM and leaves zombies
        "AutoRemove": False,  # the log and the out-of-memory flag would go with it
        "RestartPolicy": {"Name": "no"},
        "Privileged": False,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": [],
        "SecurityOpt": ["no-new-privileges"],  # Docker's seccomp and AppArmor profiles stay, being unset
        "Devices": [],
        "Binds": [],
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "PublishAllPorts": False,
    }


def _limits(job: Job, machine: Machine) -> dict[str, Any]:
    memory_bytes = _memory(job, machine)
    return {
        "Memory": memory_bytes,
        "MemorySwap": memory_bytes,  # equal means none; unset means as much again
        "NanoCpus": round(_cores(job, machine) * 1_000_000_000),
        "PidsLimit": PIDS_MAX,
        "OomScoreAdj": 500,
        "ShmSize": SHARED_MEMORY_BYTES,
        "Ulimits": [
            {"Name": "nofile", "Soft": OPEN_FILES_MAX, "Hard": OPEN_FILES_MAX},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "Tmpfs": {"/tmp": _scratch(memory_bytes)},  # noqa: S108 - the container's own
    }


def _memory(job: Job, machine: Machine) -> int:
    return max(job.memory_limit_bytes or machine.memory_bytes * 3 // 4, MEMORY_MIN_BYTES)


def _cores(job: Job, machine: Machine) -> float:
    return min(max(job.cpu_limit or machine.cores, CORES_MIN), machine.cores)


def _scratch(memory_bytes: int) -> str:
    size = min(memory_bytes // 2, SCRATCH_BYTES_MAX)
    return f"rw,nosuid,nodev,noexec,size={size},mode=1777"


def _mount(mount: Mount) -> dict[str, Any]:
    _check(mount.source, NEVER_SHOWN)
    _check(mount.target, NEVER_HIDDEN)
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _check(path: str, forbidden: tuple[str, ...]) -> None:
    plain = posixpath.isabs(path) and posixpath.normpath(path) == path
    if not plain or path.startswith("//") or any(_overlap(path, other) for other in forbidden):
        raise MountRefused(f"{path!r} is never shown to a container")


def _overlap(path: str, other: str) -> bool:
    """One of the two folders contains the other."""
    one, two = f"{path.rstrip('/')}/", f"{other}/"
    return one.startswith(two) or two.startswith(one)
