"""The one way a container is made to end: TERM, grace, KILL, and KILL again until it has ended."""

from __future__ import annotations

import datetime as dt

import structlog

from events import run as runs
from events.run import Signal, StopSignalled
from events.signal import came
from fastflow.domain.run import Active, ReachDeadline, RecordStopSignal
from fastflow.engine import ContainerGone
from fastflow.reactor.notices import Notices
from fastflow.reactor.world import World

WAIT_SECONDS_MAX = 60.0
"""Deadlines are by the wall clock, which may be set: look at it again this often."""

_log = structlog.get_logger()


class Stopping:
    """Waits for an order to stop or the deadline, then ends the container; comes to an end with it."""

    def __init__(self, world: World, run: str, notices: Notices) -> None:
        self._world = world
        self._run = run
        self._notices = notices

    async def run(self, active: Active) -> None:
        """Returns when the container has ended, by us or by itself."""
        while active.stop is None:
            if not await self._ordered_in_time(active.deadline):
                await self._world.tell(self._run, ReachDeadline(active.attempt))
            if self._notices.ended.is_set():
                return
            self._notices.stop_ordered = False
            state = await self._world.state(self._run)
            if not isinstance(state, Active):
                return
            active = state
        _log.info("run.stopping", run=self._run, cause=active.stop.cause)
        await self._stop(active)

    async def _ordered_in_time(self, deadline: dt.datetime | None) -> bool:
        """Whether an order or the end came before the deadline."""
        if deadline is None:
            return await self._notices.stop_or_end(None)
        deadline = self._world.watch.here(deadline)
        while (left := (deadline - dt.datetime.now(dt.UTC)).total_seconds()) > 0:
            if await self._notices.stop_or_end(min(left, WAIT_SECONDS_MAX)):
                return True
        return False

    async def _stop(self, active: Active) -> None:
        grace = active.request.stop_grace_seconds
        if active.signalled is None:
            if not await self._signal(active, "TERM"):
                return
        else:
            grace = max(0.0, min(grace, grace - await self._seconds_since_term(active)))
        if active.signalled != "KILL" and await came(self._notices.ended, grace):
            return
        while await self._signal(active, "KILL"):
            if await came(self._notices.ended, self._world.patience.kill_again_seconds):
                return

    async def _signal(self, active: Active, signal: Signal) -> bool:
        """Deliver and record a signal; whether there is still a container to signal."""
        try:
            await self._world.engine.signal(active.container, signal)
        except ContainerGone:
            return False
        await self._world.tell(self._run, RecordStopSignal(active.attempt, signal))
        return True

    async def _seconds_since_term(self, active: Active) -> float:
        """Counted by the log, so that a restart in between costs the script nothing of its grace."""
        for recorded in await self._world.store.read_stream(runs.stream(self._run)):
            event = recorded.event
            if isinstance(event, StopSignalled) and event.attempt == active.attempt:
                return (dt.datetime.now(dt.UTC) - recorded.at).total_seconds()
        return 0.0
