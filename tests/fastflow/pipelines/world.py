"""A pipelines folder, a real log, and a discovery between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from events import pipeline as happened
from events.pipeline import PipelineBroken, PipelineDefined, PipelineEvent, PipelineGone
from events.store import EventStore
from events.wake import Wake
from fastflow.commands import Commands
from fastflow.domain.pipeline import PIPELINE, PipelineState
from fastflow.pipelines.discovery import Discovery
from fastflow.settings import read

DEADLINE_SECONDS = 10.0


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files, and the folders they need."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


class World:
    """A pipelines folder, a log, and a discovery between them."""

    def __init__(self, root: Path, store: EventStore, wake: Wake) -> None:
        self.folder = root / "pipelines"
        self.folder.mkdir()
        self.snapshots = root / "snapshots"
        self.store = store
        self.wake = wake
        self.commands = Commands(store)
        self.discovery = self.again()

    def again(self) -> Discovery:
        """As after a restart."""
        return Discovery(
            folder=self.folder,
            snapshots=self.snapshots,
            commands=self.commands,
            store=self.store,
            settings=read({"CONTAINER_TIMEOUT": "60"}),
        )

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write files below the pipelines folder."""
        write(self.folder, files)

    async def events(self, name: str) -> list[PipelineEvent]:
        recorded = await self.store.read_stream(happened.stream(name))
        events = [entry.event for entry in recorded]
        assert all(isinstance(event, PipelineDefined | PipelineBroken | PipelineGone) for event in events)
        return [
            event for event in events if isinstance(event, PipelineDefined | PipelineBroken | PipelineGone)
        ]

    async def kinds(self, name: str) -> list[str]:
        return [type(event).__name__.removeprefix("Pipeline") for event in await self.events(name)]

    async def state(self, name: str) -> PipelineState:
        return PIPELINE.fold(await self.events(name))

    async def until(self, name: str, condition: Callable[[list[str]], bool]) -> list[str]:
        """Follow the log until the pipeline's kinds of events satisfy the condition."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                position = await self.store.head()
                kinds = await self.kinds(name)
                if condition(kinds):
                    return kinds
                await self.wake.beyond(position)
