"""What a bare machine lacks before the first run: a container engine and the worker image.

`prepare` may be called any number of times; where everything is there it only looks.
"""

from __future__ import annotations

from fastflow.machine import engine, image
from fastflow.machine.command import MachineNotReady, Say

__all__ = ["MachineNotReady", "prepare"]


async def prepare(image_name: str, docker_host: str | None, say: Say) -> None:
    """Bring up a container engine and the worker image, saying each step.

    Raises MachineNotReady with one line that says what to do.
    """
    api = await engine.ready(docker_host, say)
    await image.ready(api, image_name, say)
