"""A run as a job for the engine: what is executed, with which variables and folders; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from events.run import RunRequested
from fastflow.domain.run import Active
from fastflow.engine import Job, Mount
from fastflow.engine.environments import Environment
from fastflow.engine.trust import Trust

APP = "/app"
LOG_BYTES_MARGIN = 8 << 20
"""More than what is read ahead before the limit on a run's output is noticed."""


_NAME = re.compile(r"fastflow-[0-9a-f]{8}-([0-9a-f-]{36})-\d+")


def container_name(instance: str, run: str, attempt: int) -> str:
    """The same for the same attempt, for ever: a second create finds the first one's container."""
    return f"fastflow-{instance[:8]}-{run}-{attempt}"


def run_of(name: str) -> str | None:
    """The run that a container's name tells."""
    found = _NAME.fullmatch(name)
    return found[1] if found else None


def job_for(
    run: str,
    active: Active,
    *,
    environment: Environment | None,
    trust: Trust,
    image: str,
    instance: str,
    snapshots: Path,
    log_bytes_max: int,
) -> Job:
    """The job of an attempt; its environment, if it needs one, is ready."""
    request = active.request
    python = "python3" if environment is None else environment.python
    return Job(
        name=active.container,
        image=image,
        command=(python, f"{APP}/{request.entry}"),
        env=_variables(run, active, trust.env),
        labels={
            "fastflow-instance": instance,
            "fastflow-run-id": run,
            "fastflow-attempt": str(active.attempt),
            "fastflow-pipeline": request.pipeline,
        },
        mounts=_mounts(request, environment, trust, snapshots),
        cpu_limit=request.cpu_limit,
        memory_limit_bytes=request.memory_limit_bytes,
        network=request.network,
        log_bytes_max=log_bytes_max + LOG_BYTES_MARGIN,
        stop_grace_seconds=request.stop_grace_seconds,
    )


def _variables(run: str, active: Active, trusted: Mapping[str, str]) -> dict[str, str]:
    """The pipeline's own variables win over the house's, except those that say which run this is."""
    return {
        "PYTHONUNBUFFERED": "1",
        **trusted,
        **active.request.env,
        "FASTFLOW_RUN_ID": run,
        "FASTFLOW_PIPELINE": active.request.pipeline,
        "FASTFLOW_ATTEMPT": str(active.attempt),
    }


def _mounts(
    request: RunRequested, environment: Environment | None, trust: Trust, snapshots: Path
) -> tuple[Mount, ...]:
    code = Mount(str(snapshots / request.snapshot), APP)
    packages = () if environment is None else (Mount(str(environment.path), f"/envs/{environment.key}"),)
    return (code, *packages, *trust.mounts)
