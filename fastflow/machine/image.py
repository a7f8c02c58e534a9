"""The worker image: present, else pulled, else built from the Dockerfile, else made of Debian packages."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from fastflow.machine.api import EngineApi
from fastflow.machine.command import MachineNotReady, Say
from fastflow.machine.debian import assembled

OWN_REPOSITORY: Final = "fastflow-worker"
CONFIGURATION: Final = (
    "USER 1001:1001",
    "WORKDIR /app",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV HOME=/home/worker",
    "ENV LANG=C.UTF-8",
    'CMD ["python3"]',
)
"""What an image made from Debian packages has in common with the Dockerfile's `worker` target."""
DOCKERFILE: Final = Path(__file__).parents[2] / "Dockerfile"
_PULL_SECONDS, _PULL_SILENCE_SECONDS = 900.0, 20.0
_BUILD_SECONDS, _BUILD_SILENCE_SECONDS = 900.0, 180.0
_IMPORT_SECONDS: Final = 300.0
_BUILD_ARGUMENTS: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")

Way: TypeAlias = Literal["pull", "build", "assemble"]


def ways(image: str) -> tuple[Way, ...]:
    """How an image of this name may come about, in the order to try.

    A name of our own without a registry can only be made here; another's can only be pulled, because what is
    made here must not go by it.
    """
    path, _, last = repository(image)[0].rpartition("/")
    ours = last.startswith(OWN_REPOSITORY)
    pulled: tuple[Way, ...] = ("pull",) if path or not ours else ()
    return (*pulled, "build", "assemble") if ours else pulled


def repository(image: str) -> tuple[str, str]:
    """The name without its tag or digest, and that tag or digest; `latest` when there is none."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    folder, slash, last = image.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{folder}{slash}{last}", tag or "latest"


async def ready(api: EngineApi, image: str, say: Say) -> None:
    """Have the image at the engine. Raises MachineNotReady with what each way came to."""
    if await _present(api, image):
        say(f"Worker image: {image}")
        return
    failures: list[str] = []
    for way in ways(image):
        try:
            await _make(way, api, image, say)
        except MachineNotReady as failure:
            failures.append(f"{way}: {failure}")
            say(f"... which did not work: {failure}")
        else:
            say(f"Worker image: {image}, made just now")
            return
    raise MachineNotReady(f"The worker image {image} is missing ({'; '.join(failures)})")


async def _present(api: EngineApi, image: str) -> bool:
    answer = await api.get(f"/images/{image}/json")
    if answer.status not in {200, 404}:
        raise MachineNotReady(f"The container engine does not know about images: {answer.error()}")
    return answer.status == 200  # noqa: PLR2004 - HTTP's own number


async def _make(way: Way, api: EngineApi, image: str, say: Say) -> None:
    match way:
        case "pull":
            say(f"Pulling the worker image {image} ...")
            await _pull(api, image)
        case "build":
            say("Building the worker image from the Dockerfile ...")
            await _build(api, image)
        case "assemble":
            say("Making the worker image of Debian packages (a minute or two) ...")
            async with assembled(say) as tar:
                await _import(api, image, tar)
        case _:
            assert_never(way)
    if not await _present(api, image):
        raise MachineNotReady("the engine took it and has it not")


async def _pull(api: EngineApi, image: str) -> None:
    name, tag = repository(image)
    answer = await api.ask(
        *("POST", "/images/create", (("fromImage", name), ("tag", tag))),
        seconds=_PULL_SECONDS,
        silence_seconds=_PULL_SILENCE_SECONDS,
    )
    if error := answer.error():
        raise MachineNotReady(error)


async def _build(api: EngineApi, image: str) -> None:
    if not DOCKERFILE.exists():
        raise MachineNotReady("this installation has no Dockerfile")
    arguments = {name: os.environ[name] for name in _BUILD_ARGUMENTS if name in os.environ}
    query = (
        ("t", image),
        ("target", "worker"),
        ("rm", "1"),
        ("forcerm", "1"),
        ("buildargs", json.dumps(arguments)),
    )
    answer = await api.ask(
        *("POST", "/build", query, _context()), seconds=_BUILD_SECONDS, silence_seconds=_BUILD_SILENCE_SECONDS
    )
    if error := answer.error():
        raise MachineNotReady(error)


async def _context() -> AsyncIterator[bytes]:
    """The worker target copies nothing of ours: the Dockerfile is the whole context."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(DOCKERFILE, arcname="Dockerfile")
    yield packed.getvalue()


async def _import(api: EngineApi, image: str, tar: AsyncIterator[bytes]) -> None:
    name, tag = repository(image)
    changes = tuple(("changes", change) for change in CONFIGURATION)
    query = (("fromSrc", "-"), ("repo", name), ("tag", tag), ("message", "Debian packages and uv"), *changes)
    answer = await api.ask("POST", "/images/create", query, tar, seconds=_IMPORT_SECONDS)
    if error := answer.error():
        raise MachineNotReady(error)
