"""Parts of a run as its page shows them: its attempts, the order to stop, gaps in its log."""

from __future__ import annotations

import datetime as dt

import msgspec

from events.run import GapCause, Signal, StopCause


def milliseconds(start: dt.datetime, end: dt.datetime) -> int:
    """Whole milliseconds from one moment to another; never below 0, whatever two clocks say."""
    return max(0, (end - start) // dt.timedelta(milliseconds=1))


class Setup(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How an attempt came to its environment."""

    started_at: dt.datetime | None = None
    """None when the environment was ready."""
    finished_at: dt.datetime | None = None
    environment: str | None = None
    cached: bool | None = None
    seconds: float | None = None
    packages: int | None = None

    @property
    def milliseconds(self) -> int | None:
        """None while it is under way."""
        return None if self.seconds is None else round(self.seconds * 1000)


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One try at running the script, in one container."""

    number: int
    container: str
    """The container's name."""
    begun_at: dt.datetime
    setup: Setup | None = None
    """None when the run needs no environment."""
    container_id: str | None = None
    image: str | None = None
    started_at: dt.datetime | None = None
    """By the engine's clock, as `finished_at`."""
    deadline: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    exit_code: int | None = None
    out_of_memory: bool = False
    """Something in the container was killed for want of memory, the script itself or a child of it."""
    removed_at: dt.datetime | None = None

    @property
    def script_milliseconds(self) -> int | None:
        """Script time, without set-up; None before the exit."""
        if self.started_at is None or self.finished_at is None:
            return None
        return milliseconds(self.started_at, self.finished_at)


class Signalled(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A signal the engine delivered."""

    attempt: int
    signal: Signal
    at: dt.datetime


class Stop(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Why the run is being ended, or was, before its script was done."""

    cause: StopCause
    by: str
    at: dt.datetime
    signals: tuple[Signalled, ...] = ()


class Gap(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of the log that was not kept."""

    attempt: int
    cause: GapCause
    after_line: int
    lines: int | None
    bytes: int | None
