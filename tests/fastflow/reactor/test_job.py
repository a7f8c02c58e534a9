"""A run as a job for the engine, whole."""

from __future__ import annotations

from pathlib import Path

import msgspec

from events.run import AttemptBegun, RunRequested
from fastflow.domain.run import Active
from fastflow.domain.run_rules import RUN
from fastflow.engine import Job, Mount
from fastflow.engine.environments import Environment
from fastflow.engine.trust import Trust
from fastflow.reactor.job import LOG_BYTES_MARGIN, container_name, job_for, run_of

RUN_ID = "0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42"
INSTANCE = "8b1d0c3e-0000-4000-8000-000000000000"
NAME = f"fastflow-8b1d0c3e-{RUN_ID}-1"
REQUEST = RunRequested(
    pipeline="sales",
    snapshot="abc",
    entry="main.py",
    env={"REGION": "north", "FASTFLOW_RUN_ID": "forged", "HTTPS_PROXY": "http://own:1"},
    cpu_limit=0.5,
    memory_limit_bytes=64 << 20,
    stop_grace_seconds=7.0,
    network="none",
)
TRUST = Trust(
    {"HTTPS_PROXY": "http://house:3128", "SSL_CERT_FILE": "/certs"}, (Mount("/host/certs", "/certs"),)
)


def job(request: RunRequested, environment: Environment | None, trust: Trust) -> Job:
    active = RUN.fold((request, AttemptBegun(attempt=1, container=NAME)))
    assert isinstance(active, Active)
    return job_for(
        RUN_ID,
        active,
        environment=environment,
        trust=trust,
        image="worker:3.11",
        instance=INSTANCE,
        snapshots=Path("/data/snapshots"),
        log_bytes_max=1 << 20,
    )


def test_a_plain_run() -> None:
    assert job(REQUEST, None, TRUST) == Job(
        name=NAME,
        image="worker:3.11",
        command=("python3", "/app/main.py"),
        env={
            "PYTHONUNBUFFERED": "1",
            "SSL_CERT_FILE": "/certs",
            "HTTPS_PROXY": "http://own:1",
            "REGION": "north",
            "FASTFLOW_RUN_ID": RUN_ID,
            "FASTFLOW_PIPELINE": "sales",
            "FASTFLOW_ATTEMPT": "1",
        },
        labels={
            "fastflow-instance": INSTANCE,
            "fastflow-run-id": RUN_ID,
            "fastflow-attempt": "1",
            "fastflow-pipeline": "sales",
        },
        mounts=(Mount("/data/snapshots/abc", "/app"), Mount("/host/certs", "/certs")),
        cpu_limit=0.5,
        memory_limit_bytes=64 << 20,
        network="none",
        log_bytes_max=(1 << 20) + LOG_BYTES_MARGIN,
        stop_grace_seconds=7.0,
    )


def test_a_run_with_an_environment_sees_only_its_own_and_cannot_write_it() -> None:
    environment = Environment("e1", Path("/data/environments/tree/e1"), "/envs/e1/bin/python", 9, 2.0, "lock")
    made = job(msgspec.structs.replace(REQUEST, requirements=("pandas",)), environment, Trust())
    assert made.command == ("/envs/e1/bin/python", "/app/main.py")
    assert made.mounts == (
        Mount("/data/snapshots/abc", "/app"),
        Mount("/data/environments/tree/e1", "/envs/e1"),
    )
    assert all(mount.read_only for mount in made.mounts)


def test_a_containers_name_tells_its_run() -> None:
    assert container_name(INSTANCE, RUN_ID, 1) == NAME
    assert run_of(NAME) == RUN_ID
    assert run_of("postgres") is None
