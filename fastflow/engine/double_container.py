"""One container of the double: a script steered by its environment, and the log the engine keeps of it."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import itertools
import time
from typing import Literal

from fastflow.engine import STDERR, STDOUT, Job, Observed, Piece
from fastflow.engine.double_preheat import is_preheat, preheat

PIECE_BYTES = 16_384
NO_SUCH_COMMAND = "no-such-command"
KILLED, TERMINATED, NOT_FOUND = 137, 143, 127


class Clock:
    """Times that only grow, now and then not at all: two pieces may carry the same nanosecond."""

    def __init__(self) -> None:
        self._now = time.time_ns()
        self._count = itertools.count(1)

    def tick(self) -> int:
        """The time of one more thing that happened."""
        if next(self._count) % 3:
            self._now += 1_000
        return self._now

    def moment(self) -> dt.datetime:
        """The same as a date."""
        return dt.datetime.fromtimestamp(self.tick() / 1e9, dt.UTC)


class DoubleContainer:
    """A container that was created; `start` prints what the script prints, and ends it unless it holds."""

    def __init__(self, job: Job, image_digest: str, clock: Clock) -> None:
        self.job = job
        self.state: Literal["created", "running", "exited"] = "created"
        self.removed = False
        self.pieces: list[Piece] = []
        self._image = image_digest
        self._id = f"{abs(hash((job.name, clock.tick()))):064x}"
        self._clock = clock
        self._started_at: dt.datetime | None = None
        self._finished_at: dt.datetime | None = None
        self._exit_code: int | None = None
        self._out_of_memory = False
        self._unfinished: dict[int, tuple[int, bytes]] = {}
        self._change = asyncio.Event()

    @property
    def follow_pieces_max(self) -> int | None:
        """After so many pieces a followed log ends cleanly too early, as the `local` driver's was seen to."""
        return int(self.job.env["DOUBLE_EARLY_END"]) if "DOUBLE_EARLY_END" in self.job.env else None

    def observed(self) -> Observed:
        """What the engine would say now."""
        labels = self.job.labels
        return Observed(
            name=self.job.name,
            container_id=self._id,
            run=labels.get("fastflow-run-id", ""),
            attempt=int(labels.get("fastflow-attempt", "0")),
            state=self.state,
            image=self._image,
            started_at=self._started_at,
            finished_at=self._finished_at,
            exit_code=self._exit_code,
            out_of_memory=self._out_of_memory,
        )

    def start(self) -> None:
        """Run the script as far as it goes by itself."""
        env = self.job.env
        self.state = "running"
        self._started_at = self._clock.moment()
        if self.job.command[:1] == (NO_SUCH_COMMAND,):
            self.write(STDERR, b"[FATAL tini (7)] exec no-such-command failed: No such file or directory\n")
            self.end(NOT_FOUND)
            return
        if is_preheat(self.job):
            words = preheat(self.job)
            self.write(STDERR, words.encode())
            self.end(1 if words else 0)
            return
        self._print_all()
        limit = self.job.memory_limit_bytes
        killed = limit is not None and int(env.get("DOUBLE_MEMORY", "0")) > limit
        self._out_of_memory = killed or "DOUBLE_OOM" in env
        if killed or env.get("DOUBLE_OOM") == "main":
            self.end(KILLED)
        elif "DOUBLE_HOLD" not in env:
            self.release(None)
        self.changed()

    def write(self, stream: int, data: bytes) -> None:
        """The script prints; an unfinished line stays unseen until its newline, 16 KiB or the exit."""
        at, rest = self._unfinished.pop(stream, (0, b""))
        rest += data
        while len(rest) >= PIECE_BYTES or b"\n" in rest:
            at = at or self._clock.tick()
            cut = rest.find(b"\n", 0, PIECE_BYTES) + 1 or PIECE_BYTES
            self.pieces.append((stream, at, rest[:cut]))
            if rest[cut - 1 : cut] == b"\n":
                at = 0
            rest = rest[cut:]
        if rest or at:
            self._unfinished[stream] = at, rest
        self.changed()

    def signal(self, signal: Literal["TERM", "KILL"]) -> None:
        """Deliver a signal through the init process."""
        if signal == "KILL":
            self.end(KILLED)
        elif "DOUBLE_IGNORE_TERM" not in self.job.env:
            self.end(TERMINATED)

    def release(self, exit_code: int | None) -> None:
        """The script comes to its own end."""
        own = int(self.job.env.get("DOUBLE_EXIT_CODE", "0"))
        self.end(own if exit_code is None else exit_code)

    def end(self, exit_code: int) -> None:
        """The container has exited."""
        if self.state != "running":
            return
        for stream, (at, rest) in self._unfinished.items():
            if rest:
                self.pieces.append((stream, at or self._clock.tick(), rest))
        self._unfinished.clear()
        self.state = "exited"
        self._exit_code = exit_code
        self._finished_at = self._clock.moment()
        self.changed()

    def vanish(self) -> None:
        """The container and its log are gone."""
        self.end(KILLED)
        self.removed = True
        self.changed()

    async def change(self) -> None:
        """Wait until anything about this container changes."""
        await self._change.wait()

    def changed(self) -> None:
        """Wake everybody who waits for a change."""
        self._change.set()
        self._change = asyncio.Event()

    def _print_all(self) -> None:
        env = self.job.env
        for stream, count, data in (
            (STDOUT, "DOUBLE_LINES", "DOUBLE_STDOUT"),
            (STDERR, "DOUBLE_ERROR_LINES", "DOUBLE_STDERR"),
        ):
            for number in range(1, int(env.get(count, "0")) + 1):
                self.write(stream, b"line %d\n" % number)
            if data in env:
                self.write(stream, base64.b64decode(env[data]))
