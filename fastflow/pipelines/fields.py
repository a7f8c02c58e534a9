"""Every field a pipeline's configuration may hold: the first Fast-Flow's and the new ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastflow.pipelines.checks import (
    Check,
    Spot,
    each,
    flag,
    kind,
    memory,
    moment,
    number,
    one_of,
    shown,
    table,
    text,
    time_zone,
    whole,
    word,
)
from fastflow.pipelines.cron import cron, is_cron

SECONDS_MAX = 10 * 366 * 24 * 3600
ENVIRONMENT_VALUE_BYTES_MAX = (128 << 10) - 1
"""Linux refuses to start a program with a longer `NAME=value`."""
NAME_PATTERN = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}"
NAME_WORDING = "letters, digits, `-`, `_` and `.`, at most 64, not starting with a dot"

seconds = number(0, SECONDS_MAX)
pipeline_name = word(NAME_PATTERN, f"a pipeline's name ({NAME_WORDING})")
key = text(200)


def cron_or_seconds(value: Any, spot: Spot) -> None:
    """A cron expression, or a number of seconds, also as text."""
    digits = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    is_seconds = re.fullmatch(r"[0-9]{1,9}", digits) is not None and 1 <= int(digits) <= SECONDS_MAX
    if not is_seconds and not is_cron(value):
        spot.error(f'must be seconds or five cron fields such as "0 3 * * *", not {shown(value)}')


def python_version(value: Any, spot: Spot) -> None:
    """A Python 3 version; as a number 3.10 would be 3.1."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        spot.error(f'must be text: "{value}" in quotes, because the number 3.10 is 3.1')
    elif not isinstance(value, str) or not re.fullmatch(r"3\.([89]|[1-9][0-9])(\.[0-9]{1,2})?", value):
        spot.error(f'must be a Python version such as "3.12", not {shown(value)}')


def environment(value: Any, spot: Spot) -> None:
    """Names and texts; the texts are never repeated in a message."""
    if not isinstance(value, dict):
        spot.error(f"must be an object of names and texts, not {kind(value)}")
        return
    for name, content in value.items():
        _variable(name, content, spot.at(name))


def _variable(name: str, content: Any, spot: Spot) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name):
        spot.error("is not a variable's name: letters, digits and `_`, not starting with a digit")
    elif not isinstance(content, str):
        spot.error(f"must be text in quotes, not {kind(content)}")
    elif len(content.encode("utf-8", "surrogatepass")) + len(name) + 1 > ENVIRONMENT_VALUE_BYTES_MAX:
        spot.error(f"must not be longer than {ENVIRONMENT_VALUE_BYTES_MAX:,} bytes with its name")
    elif name.startswith("FASTFLOW_"):
        spot.warn("has a name that Fast-Flow itself may set; its value wins")


def retry_strategy(value: Any, spot: Spot) -> None:
    """How long to wait before each further attempt."""
    chosen = value.get("type") if isinstance(value, dict) else None
    table({"type": one_of(*STRATEGIES), **STRATEGIES.get(str(chosen), _EVERY_DELAY)}, ["type"])(value, spot)
    if not isinstance(value, dict) or chosen not in STRATEGIES:
        return
    if chosen == "custom_schedule" and not value.get("delays"):
        spot.error("needs a field `delays` with at least one number of seconds")


STRATEGIES: Mapping[str, Mapping[str, Check]] = {
    "exponential_backoff": {
        "initial_delay": seconds,
        "max_delay": seconds,
        "multiplier": number(1, 100),
    },
    "fixed_delay": {"delay": seconds},
    "custom_schedule": {"delays": each(seconds, 100)},
}
_EVERY_DELAY: dict[str, Check] = {name: rule for rules in STRATEGIES.values() for name, rule in rules.items()}


def parameters(value: Any, spot: Spot) -> None:
    """An object of parameters by name, or a list of parameters with a `name`."""
    if isinstance(value, dict):
        for name, parameter in value.items():
            parameter_name(name, spot.at(name))
            _parameter(parameter, spot.at(name))
    elif isinstance(value, list):
        for index, parameter in enumerate(value):
            table({**PARAMETER, "name": parameter_name}, ["name"])(parameter, spot.at(index))
            _typed(parameter, spot.at(index))
    else:
        spot.error(f"must be an object or a list of parameters, not {kind(value)}")


def _parameter(value: Any, spot: Spot) -> None:
    table(PARAMETER)(value, spot)
    _typed(value, spot)


def _typed(parameter: Any, spot: Spot) -> None:
    """Whether a parameter's default is of its type."""
    if not isinstance(parameter, dict):
        return
    of_type, default = parameter.get("type", "string"), parameter.get("default")
    if of_type == "choice" and not parameter.get("choices"):
        spot.error("needs a field `choices` with at least one text")
    if default is None:
        return
    below = spot.at("default")
    match of_type:
        case "string":
            text(10_000)(default, below)
        case "integer":
            whole(-(10**15), 10**15)(default, below)
        case "number":
            number(-(10**15), 10**15)(default, below)
        case "boolean":
            flag(default, below)
        case "choice" if default not in (parameter.get("choices") or [default]):
            below.error("must be one of the choices")
        case "secret":
            below.error("cannot be given here: a secret does not belong in a file")
        case _:
            pass


parameter_name = word(r"[A-Za-z_][A-Za-z0-9_]{0,63}", "a name of letters, digits and `_`")
PARAMETER: Mapping[str, Check] = {
    "type": one_of("string", "integer", "number", "boolean", "choice", "secret"),
    "default": lambda _value, _spot: None,
    "required": flag,
    "help": text(1_000),
    "label": text(200),
    "choices": each(text(200), 500),
    "env": parameter_name,
}

PER_RUN: Mapping[str, Check] = {
    "cpu_hard_limit": number(0.01, 1_024),
    "mem_hard_limit": memory,
    "cpu_soft_limit": number(0.01, 1_024),
    "mem_soft_limit": memory,
    "timeout": seconds,
    "retry_attempts": whole(0, 100),
    "retry_strategy": retry_strategy,
    "enabled": flag,
    "default_env": environment,
    "encrypted_env": environment,
    "webhook_key": key,
    "schedule_cron": cron,
    "schedule_interval_seconds": whole(1, SECONDS_MAX),
    "schedule_start": moment,
    "schedule_end": moment,
    "timezone": time_zone,
    "overlap": one_of("allow", "skip", "queue", "replace"),
    "missed": one_of("none", "last", "all"),
    "priority": whole(-1_000, 1_000),
}
"""What both a pipeline and each of its schedules may say."""

SCHEDULE: Mapping[str, Check] = {
    **PER_RUN,
    "id": word(r"[^\x00-\x20\x7f][^\x00-\x1f\x7f]{0,63}", "text in quotes, at most 64 characters"),
    "cron": cron,
    "interval": whole(1, SECONDS_MAX),
    "start": moment,
    "end": moment,
}

TRIGGER: Mapping[str, Check] = {
    "pipeline": pipeline_name,
    "on_success": flag,
    "on_failure": flag,
    "on_route": text(200),
    "run_config_id": text(64),
}

CELL: Mapping[str, Check] = {"retries": whole(0, 100), "delay_seconds": seconds}

PIPELINE: Mapping[str, Check] = {
    **PER_RUN,
    "description": text(4_000),
    "tags": each(text(64), 50),
    "type": one_of("script", "notebook"),
    "cells": each(table(CELL), 10_000),
    "python_version": python_version,
    "max_instances": whole(0, 10_000),
    "run_once_at": moment,
    "schedules": each(table(SCHEDULE, ["id"]), 1_000),
    "restart_on_crash": flag,
    "restart_cooldown": seconds,
    "restart_interval": cron_or_seconds,
    "downstream_triggers": each(table(TRIGGER, ["pipeline"]), 1_000),
    "secrets": each(text(200), 1_000),
    "parameters": parameters,
    "concurrency_group": text(200),
    "network": one_of("bridge", "none"),
    "stop_grace_seconds": number(0, 3_600),
}
