"""Environments: what a script needs installed, built once for all who need the same, never changed again.

A pre-heat container resolves and installs; it alone sees the whole folder of environments and uv's cache, and
may write there. A run sees its own environment, read-only. An environment's key says what is in it; the same
requirements with the same image are found again without a container, and a half-built one is never found.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from events.errors import FastFlowError
from fastflow.engine import STDERR, ContainerGone, Engine, Job, Mount, Observed
from fastflow.engine import preheat as inside
from fastflow.engine.output import Output
from fastflow.engine.trust import Trust, without_password

SECONDS_MAX = 1800.0
MEMORY_BYTES = 2 << 30
GRACE_SECONDS = 60.0
"""Over its own limit a pre-heat container gets this long to say so."""
TRIES_MAX = 3
LOG_BYTES_MAX = 16 << 20
DETAIL_CHARACTERS_MAX = 4_000
ANSWER_BYTES_MAX = 4 << 20
CONTAINER_USER = 1001
ALL, REQUEST, CACHE = "/envs", "/request", "/uv-cache"

OnOutput = Callable[[bytes], None]


class DependenciesFailed(FastFlowError):
    """The pipeline's dependencies could not be installed."""

    def __init__(self, detail: str) -> None:
        """`detail` are uv's own words."""
        super().__init__(detail)
        self.detail = detail


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """One that is ready."""

    key: str
    path: Path
    """On this machine; a run sees it, read-only, at `/envs/KEY`."""
    python: str
    """To run a script with, inside the container."""
    packages: int
    seconds: float
    """It took to build."""
    lock: str
    """Every package with its exact version, one a line."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Wish:
    """What decides which environment it is, as far as it is known before resolving."""

    requirements: tuple[str, ...]
    python_version: str | None
    image_digest: str
    index: str
    """Without passwords: a new one does not make another environment."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(dataclasses.astuple(self)).encode()).hexdigest()


class _Answer(msgspec.Struct, frozen=True):
    """What a pre-heat container wrote; packages ran code there, so nothing in it is believed."""

    key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    lock: str
    packages: int
    seconds: float


class Environments:
    """All environments of one installation."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        instance: str,
        trust: Trust,
        cache: Path | None = None,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        """`cache` is uv's, if it is to be elsewhere; without it, environments share their files with it."""
        self.trust = trust
        """Given to pre-heat containers; runs get the same."""
        self._engine = engine
        self._folder = folder
        self._tree = folder / "tree"
        self._instance = instance
        self._label = f"{instance}-environments"
        """Not the runs' own instance label: nobody must take a pre-heat container for a run's."""
        self._cache = None if cache is None else cache / "environments"
        self._seconds_max = seconds_max
        self._swept = False
        self._building: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def ready(
        self, requirements: Sequence[str], python_version: str | None, image_digest: str
    ) -> Environment | None:
        """The environment, if it is there: a look at two files."""
        return self._find(self._wish(requirements, python_version, image_digest).digest)

    async def build(
        self,
        requirements: Sequence[str],
        python_version: str | None,
        image_digest: str,
        on_output: OnOutput | None = None,
    ) -> Environment:
        """The environment, built if it is not there; `on_output` gets uv's lines, without their newlines.

        Given up half-way (cancelled, the engine away) the container goes on, and the next call adopts it.
        Raises DependenciesFailed, ImageMissing, EngineRefused, EngineAway.
        """
        wish = self._wish(requirements, python_version, image_digest)
        if option := next((line for line in wish.requirements if line.startswith("-")), None):
            raise DependenciesFailed(f"{option!r} is an option, not a requirement")
        async with self._building.setdefault(wish.digest, asyncio.Lock()):
            found = self._find(wish.digest)
            return found or await self._built(wish, on_output)

    async def sweep(self) -> None:
        """Remove what pre-heat containers of an earlier life left; one that runs may still be of use."""
        building = {self._name(digest) for digest in self._building}
        for seen in await self._engine.observe_all(self._label):
            if seen.state != "running" and seen.name not in building:
                await self._engine.remove(seen.name)
        self._swept = True

    def _wish(self, requirements: Sequence[str], python_version: str | None, image_digest: str) -> _Wish:
        said = (self.trust.env.get("UV_DEFAULT_INDEX", ""), self.trust.env.get("UV_INDEX", ""))
        return _Wish(tuple(requirements), python_version, image_digest, without_password(" ".join(said)))

    def _find(self, digest: str) -> Environment | None:
        try:
            answer = msgspec.json.decode(_read(self._tree / ".answers" / f"{digest}.json"), type=_Answer)
        except (OSError, msgspec.DecodeError):
            return None
        path = self._tree / answer.key
        if path.is_symlink() or not (path / ".ready").is_file():
            return None
        return Environment(
            key=answer.key,
            path=path,
            python=f"{ALL}/{answer.key}/bin/python",
            packages=answer.packages,
            seconds=answer.seconds,
            lock=without_password(answer.lock),
        )

    async def _built(self, wish: _Wish, on_output: OnOutput | None) -> Environment:
        if not self._swept:
            await self.sweep()
        for _ in range(TRIES_MAX):
            try:
                return await self._build(wish, Output(on_output))
            except ContainerGone:
                if (found := self._find(wish.digest)) is not None:
                    return found
        raise DependenciesFailed("The container that builds the environment was removed, again and again.")

    async def _build(self, wish: _Wish, output: Output) -> Environment:
        job = self._job(wish, self._prepare(wish))
        if (await self._engine.create(job)).state == "exited":  # a failure of an earlier life, never told
            await self._engine.remove(job.name)
            await self._engine.create(job)
        await self._engine.start(job.name)
        ended = await self._see_through(job.name, output)
        await self._engine.remove(job.name)
        found = self._find(wish.digest)
        if found is None or ended.exit_code != 0:
            raise DependenciesFailed(_detail(ended, output))
        return found

    async def _see_through(self, name: str, output: Output) -> Observed:
        try:
            async with asyncio.timeout(self._seconds_max + GRACE_SECONDS):
                async for pieces in self._engine.logs(name, 0, follow=True):
                    output.take(pieces)
                ended = await self._engine.wait(name)
        except TimeoutError:
            await self._engine.signal(name, "KILL")
            ended = await self._engine.wait(name)
        output.again()
        async for pieces in self._engine.logs(name, 0, follow=False):
            output.take(pieces)
        output.finish()
        return ended

    def _job(self, wish: _Wish, request: Path) -> Job:
        cache = () if self._cache is None else (Mount(str(self._cache), CACHE, read_only=False),)
        whole = Mount(str(self._tree), ALL, read_only=False)
        return Job(
            name=self._name(wish.digest),
            image=wish.image_digest,
            command=("python3", "-I", "-c", Path(inside.__file__).read_text()),
            env={
                **self.trust.env,
                "NO_COLOR": "1",
                "UV_CACHE_DIR": CACHE if self._cache else f"{ALL}/.uv-cache",
                "UV_COMPILE_BYTECODE": "1",  # a read-only environment can never cache it
                "UV_LINK_MODE": "copy" if self._cache else "hardlink",
                "UV_NO_CONFIG": "1",
                "UV_NO_PROGRESS": "1",
                "UV_PYTHON_DOWNLOADS": "never",
            },
            labels={"fastflow-instance": self._label, "fastflow-preheat": wish.digest},
            mounts=(whole, Mount(str(request), REQUEST), *cache, *self.trust.mounts),
            memory_limit_bytes=MEMORY_BYTES,
            log_bytes_max=LOG_BYTES_MAX,
            stop_grace_seconds=1.0,
        )

    def _name(self, digest: str) -> str:
        return f"fastflow-{self._instance[:8]}-environment-{digest[:24]}"

    def _prepare(self, wish: _Wish) -> Path:
        """The folders, and the request in one of its own that nothing inside a container can write."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_writable(self._tree)
        if self._cache is not None:
            _make_writable(self._cache)
        request = self._folder / "requests" / wish.digest
        request.mkdir(parents=True, exist_ok=True)
        asked = {**dataclasses.asdict(wish), "digest": wish.digest, "seconds_max": self._seconds_max}
        (request / "request.json").write_text(json.dumps(asked))
        return request


def _make_writable(folder: Path) -> None:
    """A folder the containers' user can write; below a private one, so that nobody else can."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, CONTAINER_USER, CONTAINER_USER)
    elif folder.stat().st_uid == os.geteuid():
        folder.chmod(0o777)


def _read(file: Path) -> bytes:
    """A small plain file, and nothing else a container could have put there."""
    opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as content:
        return content.read(ANSWER_BYTES_MAX)


def _detail(ended: Observed, output: Output) -> str:
    """The last words of uv, at their end the reason."""
    words = "\n".join(output.lines(STDERR)).strip()
    if ended.out_of_memory:
        words += f"\nBuilding the environment took more than {MEMORY_BYTES >> 20} MiB of memory."
    words = words or f"Building the environment ended with exit code {ended.exit_code} and no words."
    return words[-DETAIL_CHARACTERS_MAX:]
