"""Everything a run's supervisor may touch, and nothing else: the log, the engine, the environments."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from events import run as runs
from events import system
from events.requests import Fence
from events.store import EventStore
from events.system import EnvironmentFailed, EnvironmentReady
from fastflow.commands import Commands
from fastflow.domain.run import RunCommand, RunState
from fastflow.domain.run_rules import RUN
from fastflow.domain.standing import ENGINE, ENVIRONMENT
from fastflow.engine import Engine
from fastflow.engine.environments import Environments
from fastflow.reactor.patience import Patience
from fastflow.reactor.watch import EngineWatch, Word
from fastflow.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """One holder's hands; a new lease means a new world."""

    store: EventStore
    commands: Commands
    engine: Engine
    environments: Environments
    watch: EngineWatch
    snapshots: Path
    settings: Settings
    instance: str
    """Of this installation: labels and names of containers carry it."""
    fence: Fence
    patience: Patience

    @property
    def log_bytes_max(self) -> int:
        """Of one run's output; what comes after is declared, not stored."""
        return self.settings.log_max_size_mb << 20

    async def tell(self, run: str, command: RunCommand) -> None:
        """Report a fact about a run. Raises Rejected, VersionConflict, LeaseLost, Unavailable."""
        await self.commands.handle(RUN, runs.stream(run), command, fence=self.fence)

    async def state(self, run: str) -> RunState:
        """What is known of a run, everything in the log included."""
        return await self.commands.state(RUN, runs.stream(run))

    async def recall(self, run: str) -> RunState:
        """What was last known of a run here; a command decided on it is checked by the log."""
        return await self.commands.recall(RUN, runs.stream(run))

    async def tell_environment(self, digest: str, word: EnvironmentReady | EnvironmentFailed) -> None:
        """Report what became of an environment."""
        await self.commands.handle(ENVIRONMENT, system.environment(digest), word, fence=self.fence)


async def tell_engine(commands: Commands, fence: Fence, word: Word) -> None:
    """Report the engine's presence, if it changed."""
    await commands.handle(ENGINE, system.ENGINE, word, fence=fence)
