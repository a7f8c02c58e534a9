"""A pipeline's configuration, from JSON or `[tool.fastflow]`: checked in full, each finding with its line."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import math
from collections.abc import Iterable
from typing import Any, Protocol

from events.pipeline import Problem
from events.run import Network
from fastflow.pipelines.checks import Finding, Spot, as_moment, is_number, memory_bytes, table
from fastflow.pipelines.fields import PIPELINE
from fastflow.pipelines.json_text import NUMBER_MAX, JsonText, Path, Unreadable, storable
from fastflow.pipelines.text_files import decoded

PROBLEMS_MAX = 50


class Places(Protocol):
    """A text that knows where its values stand."""

    def line(self, path: Path) -> int | None:
        """The line of the value there, if that can be told."""


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """What a configuration says; `written` has every field as written."""

    file: str | None = None
    """None: there is no configuration."""
    written: dict[str, Any] = dataclasses.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    places: Places | None = None

    def line(self, name: str) -> int | None:
        """Where a field stands."""
        return self.places.line((name,)) if self.places else None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What must be changed before it can stand."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def text(self, name: str) -> str | None:
        """A field that is text."""
        value = self.written.get(name)
        return value if isinstance(value, str) else None

    def amount(self, name: str) -> float | None:
        """A field that is a number."""
        value = self.written.get(name)
        return float(value) if is_number(value) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """A field that is a list of texts."""
        return tuple(self.written.get(name) or ())

    def environment(self, name: str) -> dict[str, str]:
        """A field of names and texts."""
        return dict(self.written.get(name) or {})

    def memory(self, name: str) -> int | None:
        """A field of memory, in bytes."""
        return memory_bytes(self.written.get(name))

    @property
    def enabled(self) -> bool:
        """Whether the pipeline may run."""
        return self.written.get("enabled") is not False

    @property
    def network(self) -> Network:
        """The network its runs see."""
        return "none" if self.written.get("network") == "none" else "bridge"


def read_json(file: str, content: bytes) -> Configuration:
    """What a configuration file says."""
    try:
        document = JsonText(decoded(content))
    except Unreadable as problem:
        return Configuration(file, {}, (Problem(file=file, message=problem.message, line=problem.line),))
    findings = [
        Finding(path, f"is given twice in one object: `{path[-1]}`", "error") for path in document.repeated
    ]
    return checked(file, document.value, document, findings)


def checked(file: str, value: Any, places: Places, findings: Iterable[Finding] = ()) -> Configuration:
    """The configuration that a value is; with an error in it, nothing of it stands."""
    whole = Spot([])
    for check in (_check_storable, table(PIPELINE), _check_contradictions):
        if not any(finding.severity == "error" for finding in whole.findings):
            check(value, whole)
    problems = tuple(
        Problem(
            file=file,
            message=finding.message,
            line=places.line(finding.path),
            field=dotted(finding.path) or None,
            severity=finding.severity,
        )
        for finding in sorted([*findings, *whole.findings], key=lambda found: places.line(found.path) or 0)[
            :PROBLEMS_MAX
        ]
    )
    return Configuration(file, value if isinstance(value, dict) else {}, problems, places)


def dotted(path: Path) -> str:
    """`("schedules", 0, "id")` as people write it: `schedules[0].id`."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(parts).removeprefix(".")


def without_keys(written: dict[str, Any]) -> dict[str, Any]:
    """The configuration as it is kept: of a webhook's key, which lets anybody start runs, only its sha256."""
    kept = dict(written)
    if isinstance(kept.get("webhook_key"), str) and kept["webhook_key"]:
        digest = hashlib.sha256(kept["webhook_key"].encode()).hexdigest()
        kept["webhook_key"] = f"sha256:{digest}"
    if isinstance(kept.get("schedules"), list):
        kept["schedules"] = [without_keys(schedule) for schedule in kept["schedules"]]
    return kept


def as_json(value: Any) -> Any:
    """A TOML value as JSON would have it: dates and times are text."""
    match value:
        case dict():
            return {name: as_json(item) for name, item in value.items()}
        case list():
            return [as_json(item) for item in value]
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return value


def _check_storable(value: Any, spot: Spot) -> None:
    """Also fields that nobody knows are kept, so they must be fit to keep."""
    match value:
        case dict():
            for name, item in value.items():
                if not storable(name):
                    spot.error("holds a name with a character no text may hold (NUL or half of a pair)")
                _check_storable(item, spot.at(name))
        case list():
            for index, item in enumerate(value):
                _check_storable(item, spot.at(index))
        case str():
            if not storable(value):
                spot.error("holds a character no text may hold (NUL or half of a pair)")
        case int() | float():
            if not math.isfinite(value) or abs(value) > NUMBER_MAX:
                spot.error("is not a number that can be kept")
        case _:
            pass


def _check_contradictions(value: dict[str, Any], whole: Spot) -> None:
    _check_run(value, whole)
    ids: set[str] = set()
    keys = {value["webhook_key"]} if value.get("webhook_key") else set()
    schedules = value.get("schedules") or []
    for index, schedule in enumerate(schedules):
        spot = whole.at("schedules", index)
        _check_schedule(schedule, spot)
        if schedule["id"] in ids:
            spot.at("id").error(f"is the id of two schedules: {schedule['id']}")
        if schedule.get("webhook_key") in keys:
            spot.at("webhook_key").error("is given twice; each key belongs to one schedule or the pipeline")
        ids.add(schedule["id"])
        keys |= {schedule["webhook_key"]} if schedule.get("webhook_key") else set()
    for name in ("schedule_cron", "schedule_interval_seconds"):
        if schedules and value.get(name) is not None:
            whole.at(name).warn("is ignored because there are `schedules`")
    for index, trigger in enumerate(value.get("downstream_triggers") or []):
        never = trigger.get("on_success") is False and not trigger.get("on_failure")
        if never and not trigger.get("on_route"):
            whole.at("downstream_triggers", index).warn("never starts anything: all its conditions are off")


def _check_schedule(schedule: dict[str, Any], spot: Spot) -> None:
    _check_run(schedule, spot)
    for short, long in (("cron", "schedule_cron"), ("interval", "schedule_interval_seconds")):
        if schedule.get(short) is not None and schedule.get(long) is not None:
            spot.at(short).error(f"is given twice, as `{short}` and as `{long}`")
    every = ("cron", "schedule_cron", "interval", "schedule_interval_seconds", "webhook_key")
    if all(schedule.get(name) is None for name in every):
        spot.warn("has neither `schedule_cron` nor `schedule_interval_seconds`: nothing is due by itself")


def _check_run(fields: dict[str, Any], spot: Spot) -> None:
    """Fields of a pipeline or a schedule that do not go together."""
    cron, interval = (_first(fields, *names) for names in (_CRON, _INTERVAL))
    if cron and interval:
        spot.at(interval).warn(f"is ignored because there is `{cron}`")
    start, end = (_first(fields, *names) for names in (_START, _END))
    begins, ends = as_moment(fields.get(start or "")), as_moment(fields.get(end or ""))
    if begins and ends and end and ends < begins:
        spot.at(end).error(f"is before `{start}`")
    for soft, hard in (("cpu_soft_limit", "cpu_hard_limit"), ("mem_soft_limit", "mem_hard_limit")):
        warned, ended = memory_bytes_or_cores(fields.get(soft)), memory_bytes_or_cores(fields.get(hard))
        if warned and ended and warned > ended:
            spot.at(soft).warn(f"is above `{hard}` and never reached")
    strategy = fields.get("retry_strategy") or {}
    delays = strategy.get("initial_delay"), strategy.get("max_delay")
    if delays[0] is not None and delays[1] is not None and delays[0] > delays[1]:
        spot.at("retry_strategy", "max_delay").error("is less than `initial_delay`")
    for name in sorted((fields.get("default_env") or {}).keys() & (fields.get("encrypted_env") or {}).keys()):
        spot.at("default_env", name).warn("is also in `encrypted_env`, which wins")


def _first(fields: dict[str, Any], *names: str) -> str | None:
    return next((name for name in names if fields.get(name) is not None), None)


def memory_bytes_or_cores(value: Any) -> float | None:
    """Something to compare two limits by."""
    return float(value) if is_number(value) else memory_bytes(value)


_CRON = ("schedule_cron", "cron")
_INTERVAL = ("schedule_interval_seconds", "interval")
_START = ("schedule_start", "start")
_END = ("schedule_end", "end")
