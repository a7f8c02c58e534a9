"""Keeps the log's pipelines equal to PIPELINES_DIR: looks by `stat`, reads and appends only what changed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from events import pipeline as happened
from events.errors import FastFlowError, Unavailable
from events.pipeline import Problem
from events.store import EventStore
from fastflow.commands import Commands
from fastflow.domain.pipeline import PIPELINE, BreakPipeline, DefinePipeline, LosePipeline, PipelineCommand
from fastflow.pipelines.definition import Defaults, define
from fastflow.pipelines.listing import Place, places
from fastflow.pipelines.pause import Pause
from fastflow.pipelines.python_versions import image_python
from fastflow.pipelines.reading import CannotRead, read
from fastflow.pipelines.seen import Seen
from fastflow.pipelines.snapshot import Changed, Snapshots
from fastflow.pipelines.tree import Tree, look
from fastflow.settings import Settings

LOOK_EVERY_SECONDS = 0.5
REST_PER_LOOK = 9.0
"""At most a tenth of a core goes into looking, however many files there are."""
SETTLED_NANOSECONDS = 1_000_000_000
"""Younger files are looked at again: a second change may leave the same times behind."""

RESTLESS_SECONDS_MAX = 60.0
RESTLESS = "keeps changing and so cannot be taken; what a run or a tool writes belongs elsewhere"

Ready: TypeAlias = Callable[[str, bytes, int], bool]
"""Whether to handle what a pipeline (name, signature, nanoseconds since its last change) looks like now."""

_log = structlog.get_logger()


class Discovery:
    """Notices pipelines that are new, changed, broken or gone. One look at a time."""

    def __init__(
        self, *, folder: Path, snapshots: Path, commands: Commands, store: EventStore, settings: Settings
    ) -> None:
        self.folder = folder
        self.trouble: str | None = None
        """Why PIPELINES_DIR cannot be read at present."""
        self._snapshots = Snapshots(snapshots)
        self._commands = commands
        self._defaults = Defaults(image_python(settings.worker_base_image), settings.container_timeout)
        self._seen = Seen(snapshots, store)
        self._handled: dict[str, bytes] = {}
        """What each pipeline's files looked like when they were last handled."""
        self._glimpsed: dict[str, bytes] = {}
        """What they looked like at the last look."""
        self._restless_since: dict[str, float] = {}
        """Since when, by the monotonic clock, a pipeline's files could not be taken because they changed."""
        self._one_at_a_time = asyncio.Lock()

    async def scan(self) -> None:
        """Look now, and handle every change at once. Raises Unavailable."""
        await self._look(lambda _name, _signature, _age: True)

    async def watch(self) -> None:
        """Look for ever; a change is handled when it is a second old or lasted from one look to the next.

        So a checkout or an editor that is still writing is not taken for a broken pipeline.
        """
        self._snapshots.remove_leftovers()
        while True:
            began = time.perf_counter()
            try:
                await self._look(self._settled)
            except (FastFlowError, OSError) as problem:
                _log.warning("pipelines.not_looked_at", problem=str(problem))
            took = time.perf_counter() - began
            await asyncio.sleep(max(LOOK_EVERY_SECONDS, took * REST_PER_LOOK))

    def _settled(self, name: str, signature: bytes, age_nanoseconds: int) -> bool:
        return age_nanoseconds > SETTLED_NANOSECONDS or self._glimpsed.get(name) == signature

    async def _look(self, ready: Ready) -> None:
        async with self._one_at_a_time:
            known = await self._seen.names()
            pause = Pause()
            try:
                found = await places(self.folder, pause)
            except OSError as problem:
                await self._folder_unreadable(problem, known, ready)
                return
            self._folder_readable()
            glimpsed: dict[str, bytes] = {}
            for place in found:
                tree = await look(place, pause)
                glimpsed[place.name] = tree.signature
                if self._handled.get(place.name) == tree.signature:
                    continue
                if ready(place.name, tree.signature, _age(tree)) and await self._handle(place, tree, pause):
                    self._restless_since.pop(place.name, None)
                else:
                    await self._wait_for_rest(place)
            for name in sorted(known - glimpsed.keys()):
                glimpsed[name] = _GONE
                if ready(name, _GONE, 0):
                    await self._lose(name)
            self._glimpsed = glimpsed

    async def _handle(self, place: Place, tree: Tree, pause: Pause) -> bool:
        """Read what changed and record what it is now; False when it is changing still."""
        try:
            command = await self._command(place, tree, pause)
        except (Changed, OSError) as problem:
            _log.info("pipeline.not_read", pipeline=place.name, problem=str(problem))
            return False
        if (await look(place, pause)).signature != tree.signature:
            return False
        self._seen.add(place.name)
        await self._record(place.name, command)
        if not 0 <= _age(tree) <= SETTLED_NANOSECONDS:
            self._handled[place.name] = tree.signature
        return True

    async def _wait_for_rest(self, place: Place) -> None:
        """Files that never rest are said to be so, once."""
        now = time.monotonic()
        if now - self._restless_since.setdefault(place.name, now) < RESTLESS_SECONDS_MAX:
            return
        self._restless_since[place.name] = math.inf
        self._seen.add(place.name)
        await self._record(place.name, BreakPipeline((Problem(file=place.shown, message=RESTLESS),)))

    async def _command(self, place: Place, tree: Tree, pause: Pause) -> PipelineCommand:
        """What the files come to. Raises Changed, OSError."""
        problems = (place.problem,) if place.problem else tree.problems
        if any(problem.severity == "error" for problem in problems):
            return BreakPipeline(tuple(problems))
        try:
            examined = define(read(place, tree), self._defaults)
            if examined.definition is None:
                return BreakPipeline((*problems, *examined.problems))
            snapshot = await self._snapshots.take(tree.leaves, pause)
        except CannotRead as unreadable:
            return BreakPipeline((unreadable.problem,))
        except (Changed, OSError):
            raise
        except Exception as mistake:  # noqa: BLE001 - one pipeline must not stop the look at the others
            _log.exception("pipeline.not_examined", pipeline=place.name)
            message = f"cannot be examined, which is a mistake of Fast-Flow: {type(mistake).__name__}"
            return BreakPipeline((Problem(file=place.shown, message=message),))
        warnings = (*problems, *examined.definition.warnings)
        return DefinePipeline(
            msgspec.structs.replace(examined.definition, snapshot=snapshot, warnings=warnings)
        )

    async def _lose(self, name: str) -> None:
        await self._record(name, LosePipeline())
        self._handled.pop(name, None)
        self._seen.remove(name)

    async def _record(self, name: str, command: PipelineCommand) -> None:
        """Let the pipeline's decider say whether that is news. Raises Unavailable, and nothing else."""
        try:
            await self._commands.handle(PIPELINE, happened.stream(name), command)
        except Unavailable:
            raise
        except FastFlowError as problem:
            _log.warning("pipeline.not_recorded", pipeline=name, problem=str(problem))

    async def _folder_unreadable(self, problem: OSError, known: frozenset[str], ready: Ready) -> None:
        """Nothing is lost because a disk is not mounted: every pipeline stays in force, and says why."""
        reason = f"the pipelines folder {self.folder} cannot be read: {problem.strerror}"
        if self.trouble is None:
            _log.error("pipelines.folder_unreadable", folder=str(self.folder), problem=str(problem.strerror))
        self.trouble = reason
        broken = BreakPipeline(
            (Problem(file=".", message=f"{reason}; the last good version stays in force"),)
        )
        for name in sorted(known):
            if ready(name, _UNREADABLE, 0) and self._handled.get(name) != _UNREADABLE:
                await self._record(name, broken)
                self._handled[name] = _UNREADABLE
        self._glimpsed = dict.fromkeys(known, _UNREADABLE)

    def _folder_readable(self) -> None:
        if self.trouble is not None:
            _log.info("pipelines.folder_readable", folder=str(self.folder))
        self.trouble = None


def _age(tree: Tree) -> int:
    """Nanoseconds since the newest of its files changed; below 0 where the file system's clock is ahead."""
    return time.time_ns() - tree.changed_nanoseconds


_GONE = b"gone"
_UNREADABLE = b"unreadable"
