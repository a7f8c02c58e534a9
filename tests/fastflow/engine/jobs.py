"""Jobs for engine tests: the same environment steers the double and, by a small script, a real container."""

from __future__ import annotations

import os
import uuid

from fastflow.engine import Job

IMAGE = os.environ.get("WORKER_BASE_IMAGE", "fastflow-worker:3.11")
INSTANCE = f"test-{uuid.uuid4().hex[:12]}"
"""Of this test session alone, so that cleaning up never touches anybody else's containers."""

ACTOR = """
import base64, os, signal, sys, time
env = os.environ
if "DOUBLE_IGNORE_TERM" in env:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for out, count, data in (
    (sys.stdout.buffer, "DOUBLE_LINES", "DOUBLE_STDOUT"),
    (sys.stderr.buffer, "DOUBLE_ERROR_LINES", "DOUBLE_STDERR"),
):
    for number in range(1, int(env.get(count, "0")) + 1):
        out.write(b"line %d\\n" % number)
    out.write(base64.b64decode(env.get(data, "")))
    out.flush()
hoard = b"x" * int(env.get("DOUBLE_MEMORY", "0"))
while "DOUBLE_HOLD" in env:
    time.sleep(60)
sys.exit(int(env.get("DOUBLE_EXIT_CODE", "0")))
"""


def job(
    command: tuple[str, ...] = ("python3", "-c", ACTOR),
    *,
    name: str | None = None,
    image: str = IMAGE,
    memory_limit_bytes: int | None = None,
    **env: str,
) -> Job:
    """A job with a new name, unless one is given."""
    run = str(uuid.uuid4())
    labels = {"fastflow-instance": INSTANCE, "fastflow-run-id": run, "fastflow-attempt": "1"}
    return Job(
        name=name or f"ff-{INSTANCE}-{run}-1",
        image=image,
        command=command,
        env=env,
        labels=labels,
        memory_limit_bytes=memory_limit_bytes,
        network="none",
    )
