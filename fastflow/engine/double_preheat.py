"""The double's pre-heat container: it leaves the files a real one leaves, and nothing is installed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastflow.engine import Job

UNKNOWN = "no-such-package"


def is_preheat(job: Job) -> bool:
    """Whether this job builds an environment."""
    return "fastflow-preheat" in job.labels


def preheat(job: Job) -> str:
    """Build what the job's request asks for; uv's words when that cannot be, else nothing."""
    folders = {mount.target: Path(mount.source) for mount in job.mounts}
    request = json.loads((folders["/request"] / "request.json").read_text())
    if unknown := next((line for line in request["requirements"] if line.startswith(UNKNOWN)), None):
        return f"error: No solution found when resolving dependencies\n  cause: {unknown} was not found.\n"
    lock = "".join(f"{line}\n" for line in sorted(request["requirements"]))
    _leave(folders["/envs"], request, lock)
    return ""


def _leave(tree: Path, request: Mapping[str, Any], lock: str) -> None:
    key = hashlib.sha256(f"{lock}{request['image_digest']}".encode()).hexdigest()
    (tree / key).mkdir(exist_ok=True)
    (tree / key / ".ready").touch()
    (tree / ".answers").mkdir(exist_ok=True)
    answer = {"key": key, "lock": lock, "packages": len(request["requirements"]), "seconds": 0.0}
    (tree / ".answers" / f"{request['digest']}.json").write_text(json.dumps(answer))
