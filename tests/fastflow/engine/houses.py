"""Environments in a folder of a test's own."""

from __future__ import annotations

from pathlib import Path

from fastflow.engine import Engine
from fastflow.engine.environments import Environments
from fastflow.engine.trust import Trust
from tests.fastflow.engine.jobs import INSTANCE


def environments(engine: Engine, folder: Path, trusted: Trust | None = None) -> Environments:
    return Environments(
        engine, folder / "environments", instance=INSTANCE, trust=trusted or Trust(), seconds_max=240
    )
