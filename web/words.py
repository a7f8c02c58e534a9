"""Every sentence and number as people read it, in one place."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

STATUSES = {
    "PENDING": "Waiting",
    "RUNNING": "Running",
    "SUCCESS": "Succeeded",
    "FAILED": "Failed",
    "CANCELLED": "Cancelled",
}
REASONS = {
    "waiting_for_slot": "for a free slot",
    "starting": "starting",
    "installing_dependencies": "installing",
    "cancelling": "cancelling",
    "timing_out": "stopping, time is up",
    "exit_code": "exit code",
    "timeout": "timed out",
    "out_of_memory": "out of memory",
    "killed": "killed",
    "image_missing": "image missing",
    "dependencies_failed": "dependencies failed",
    "command_missing": "command missing",
    "pipeline_missing": "code missing",
    "lost": "container lost",
    "engine_error": "engine error",
    "engine_restarted": "engine restarted",
}
TRIGGERS = {
    "manual": "a page",
    "api": "the API",
    "cli": "the command line",
    "schedule": "a schedule",
    "webhook": "a webhook",
    "downstream": "another pipeline",
    "restart": "a restart",
}
ACTORS = {"page": "somebody at a page", "api": "the API", "cli": "the command line", "system": "Fast-Flow"}
GAPS = {
    "size_cap": "the log reached its size limit",
    "engine_log_damaged": "the engine's log file is damaged",
    "engine_restarted": "the container engine restarted",
    "container_lost": "the container disappeared",
}

NOTHING = "\N{EN DASH}"
SECOND, MINUTE, MINUTES_AN_HOUR = 1000, 60, 60
JUST_NOW, DAY, DAYS_COUNTED = 5, 86_400, 7
AGES = ((60, 1, "sec."), (3600, 60, "min."), (DAY, 3600, "hr."))
SIZES, KIBI = ("B", "KiB", "MiB", "GiB", "TiB"), 1024


def status(value: str) -> str:
    """A run's status as a word."""
    return STATUSES[value]


def tone(value: str) -> str:
    """The name that a status has in style sheets."""
    return value.lower()


def reason(row: Any) -> str:
    """Why a run is as it is, in a few words; empty when its status says it all."""
    if row.reason is None or row.reason == "cancelled_by":
        return ""
    if row.reason == "exit_code":
        return f"exit code {row.exit_code}"
    return REASONS.get(row.reason, str(row.reason).replace("_", " "))


def actor(value: str) -> str:
    """Who did something."""
    return ACTORS.get(value, value)


def duration(milliseconds: float | None) -> str:
    """A span of time: `340 ms`, `12.3 s`, `3 min 05 s`, `2 h 04 min`."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < SECOND:
        return f"{milliseconds:.0f} ms"
    if round(milliseconds / SECOND, 1) < MINUTE:
        return f"{milliseconds / SECOND:.1f} s"
    minutes, seconds = divmod(round(milliseconds / SECOND), MINUTE)
    hours, minutes = divmod(minutes, MINUTES_AN_HOUR)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def ago(at: dt.datetime, now: dt.datetime) -> str:
    """How long before now: what the page says until its own clock takes over."""
    seconds = int((now - at).total_seconds())
    if seconds < JUST_NOW:
        return "just now"
    for below, size, unit in AGES:
        if seconds < below:
            return f"{counted(seconds // size, unit, unit)} ago"
    days = seconds // DAY
    return f"{counted(days, 'day')} ago" if days < DAYS_COUNTED else f"on {at:%d %B %Y}"


def moment(at: dt.datetime) -> str:
    """A time to the second, in UTC."""
    return f"{at.astimezone(dt.UTC):%d %B %Y, %H:%M:%S} UTC"


def iso(at: dt.datetime) -> str:
    """A time for programs."""
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def size(count: float | None) -> str:
    """Bytes, in powers of 1024: `340 B`, `1.5 MiB`."""
    if count is None:
        return NOTHING
    for unit in SIZES[:-1]:
        if round(count, 1) < KIBI:
            return f"{count:.1f}".removesuffix(".0") + f" {unit}"
        count /= KIBI
    return f"{count:.1f} {SIZES[-1]}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def short(run: str) -> str:
    """The beginning of a run's id: enough to tell runs apart, and to search by."""
    return run[:13]


def number(value: float) -> str:
    """A number as the script wrote it: `3`, `2.5`."""
    return f"{value:,.10g}" if value != int(value) else f"{int(value):,}"


def cores(value: float) -> str:
    """A share of the processors."""
    return f"{number(value)} {'core' if value == 1 else 'cores'}"


def gap(found: Any) -> str:
    """A declared gap in a log."""
    lost = []
    if found.lines is not None:
        lost.append(counted(found.lines, "line"))
    if found.bytes is not None:
        lost.append(size(found.bytes))
    amount = " or ".join(lost) if lost else "An unknown number of lines"
    return f"{amount} not kept: {GAPS.get(found.cause, found.cause)}"


def part(text: str) -> str:
    """A path segment, whatever is in it."""
    return quote(text, safe="")


def query(**parameters: str | float | None) -> str:
    """A query string of what is not empty, with its question mark."""
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""


def as_json(value: Any) -> str:
    """A value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


FILTERS = {
    "status": status,
    "tone": tone,
    "reason": reason,
    "actor": actor,
    "duration": duration,
    "ago": ago,
    "moment": moment,
    "iso": iso,
    "size": size,
    "short": short,
    "number": number,
    "cores": cores,
    "gap": gap,
    "part": part,
    "as_json": as_json,
}
