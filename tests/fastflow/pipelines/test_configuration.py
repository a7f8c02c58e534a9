"""Configurations good and bad: the exact words, field and line of every finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.pipelines.checks import memory_bytes
from fastflow.pipelines.configuration import Configuration, read_json
from fastflow.pipelines.cron import is_cron
from fastflow.pipelines.fields import PIPELINE, SCHEDULE

EVERY_FIELD = """{
  "description": "Example with every field",
  "tags": ["example", "reference"],
  "type": "script",
  "enabled": true,
  "python_version": "3.12",
  "cpu_hard_limit": 1.0,
  "mem_hard_limit": "1g",
  "cpu_soft_limit": 0.8,
  "mem_soft_limit": "800m",
  "timeout": 3600,
  "retry_attempts": 3,
  "retry_strategy": {"type": "exponential_backoff", "initial_delay": 60, "max_delay": 3600, "multiplier": 2},
  "max_instances": 2,
  "cells": [{"retries": 2, "delay_seconds": 1}, {}],
  "restart_on_crash": true,
  "restart_cooldown": 60,
  "restart_interval": "0 3 * * *",
  "run_once_at": "2026-01-15T12:00:00",
  "schedules": [
    {"id": "prod", "schedule_cron": "0 8 * * 1-5", "schedule_start": "2025-01-01",
     "timezone": "Europe/Berlin", "schedule_end": "2025-12-31T23:59:59Z",
     "default_env": {"DRY_RUN": "false"}, "webhook_key": "b",
     "retry_strategy": {"type": "fixed_delay", "delay": 120}, "timeout": 0, "mem_hard_limit": 536870912},
    {"id": "staging", "interval": 3600, "enabled": false, "encrypted_env": {"KEY": "gAAAA"}},
    {"id": "late", "cron": "*/5 * * * *", "start": "2025-01-01T00:00:00+02:00", "overlap": "queue"}
  ],
  "downstream_triggers": [
    {"pipeline": "report", "on_success": true, "on_failure": false, "run_config_id": "prod"},
    {"pipeline": "alarm", "on_failure": true, "on_success": false, "on_route": null}
  ],
  "webhook_key": "a",
  "default_env": {"LOG_LEVEL": "INFO"},
  "encrypted_env": {"API_KEY": "gAAAAABl"},
  "secrets": ["DB_PASSWORD"],
  "parameters": {
    "since": {"type": "string", "default": "2025-01-01", "help": "First day"},
    "size": {"type": "choice", "choices": ["s", "m"], "default": "m", "required": true},
    "token": {"type": "secret", "env": "TOKEN"},
    "deep": {"type": "boolean", "default": false},
    "limit": {"type": "integer", "default": 10}, "ratio": {"type": "number", "default": 0.5}
  },
  "timezone": "Europe/Vienna", "overlap": "skip", "missed": "last", "priority": 5,
  "concurrency_group": "warehouse", "network": "none", "stop_grace_seconds": 30
}"""


def findings(text: str) -> list[str]:
    return [
        f"{problem.line}|{problem.field}|{problem.message}"
        + ("|warning" if problem.severity == "warning" else "")
        for problem in read_json("demo/pipeline.json", text.encode()).problems
    ]


def test_every_field_is_known_and_kept_as_written() -> None:
    configuration = read_json("demo.json", EVERY_FIELD.encode())
    assert configuration.problems == ()
    assert configuration.written == json.loads(EVERY_FIELD)
    assert configuration.memory("mem_hard_limit") == 1 << 30
    assert set(PIPELINE) - set(configuration.written) == {
        "schedule_cron", "schedule_interval_seconds", "schedule_start", "schedule_end",
    }  # fmt: skip


def test_the_first_fast_flows_fields_are_all_known() -> None:
    first = """cpu_hard_limit mem_hard_limit cpu_soft_limit mem_soft_limit type cells timeout
        retry_attempts retry_strategy enabled python_version max_instances schedule_cron
        schedule_interval_seconds schedule_start schedule_end run_once_at schedules restart_on_crash
        restart_cooldown restart_interval downstream_triggers webhook_key default_env encrypted_env secrets
        description tags"""
    assert set(first.split()) <= set(PIPELINE)
    of_schedule = """id schedule_cron schedule_interval_seconds schedule_start schedule_end default_env
        encrypted_env enabled cpu_hard_limit mem_hard_limit cpu_soft_limit mem_soft_limit timeout
        retry_attempts retry_strategy webhook_key"""
    assert set(of_schedule.split()) <= set(SCHEDULE)


def golden() -> list[tuple[str, list[str]]]:
    """Pairs of a configuration and its findings, from the file beside this one."""
    text = Path(__file__).with_name("configurations.golden").read_text("utf-8")
    cases = [case.split("\n-->") for case in text.split("==>\n")[1:]]
    return [(written, expected.split("\n")[1:-1]) for written, expected in cases]


@pytest.mark.parametrize(
    ("text", "expected"), golden(), ids=lambda case: case[:40] if isinstance(case, str) else ""
)
def test_findings(text: str, expected: list[str]) -> None:
    assert findings(text) == expected


def test_long_text_is_refused() -> None:
    text = json.dumps({"description": "x" * 4001})
    assert findings(text) == ["1|description|must not be longer than 4,000 characters (it has 4,001)"]


def test_what_is_not_utf_8_is_told_with_its_line() -> None:
    latin = '{\n"description": "grün"}'.encode("latin-1")
    assert read_json("a.json", latin).problems[0].message == "is not UTF-8 text: byte 0xfc"
    assert read_json("a.json", latin).problems[0].line == 2
    assert (
        read_json("a.json", "{}".encode("utf-16")).problems[0].message == "is UTF-16 text; save it as UTF-8"
    )
    assert read_json("a.json", "\ufeff{}".encode()).problems == ()
    assert read_json("a.json", b'{"timeout": 1,\r\n"timeout": 2}').problems[0].line == 2


def test_values_of_the_environment_and_keys_are_never_repeated() -> None:
    text = json.dumps(
        {
            "default_env": {"A": ["hunter2"], "B": "hunter2" * 30_000, "bad name": "hunter2"},
            "encrypted_env": {"C": {"hunter2": 1}},
            "webhook_key": ["hunter2"],
            "schedules": [{"id": "a", "webhook_key": "hunter2"}, {"id": "b", "webhook_key": "hunter2"}],
            "parameters": {"p": {"type": "secret", "default": "hunter2"}},
        }
    )
    assert len(findings(text)) >= 6
    assert not any("hunter2" in problem.message for problem in read_json("a.json", text.encode()).problems)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512m", 512 << 20), ("1g", 1 << 30), ("1.5G", 3 << 29), ("2 GiB", 2 << 30), ("64MB", 64 << 20),
        ("1048576", 1 << 20), (1048576, 1 << 20), ("100k", 100 << 10), ("10b", 10), ("", None), ("1.g", None),
        ("-1g", None), ("1e3", None), (True, None), (None, None), ([], None), ("m", None), ("1 g g", None),
    ],
)  # fmt: skip
def test_memory_is_read_as_docker_reads_it(written: Any, size: int | None) -> None:
    assert memory_bytes(written) == size


def test_a_flood_of_findings_is_cut() -> None:
    text = json.dumps({f"field{n}": n for n in range(500)})
    assert len(findings(text)) == 50


NAMES = st.sampled_from([*PIPELINE, "id", "cron", "type", "delays", "pipeline", "default", "nonsense"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "3.12", "1g", "0 9 * * *", "2025-01-01", "script", "fixed_delay"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, ANY, max_size=8))
def test_any_value_in_any_field_gives_findings_and_never_an_exception(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    configuration = read_json("a.json", text.encode("utf-8", "surrogatepass"))
    assert isinstance(configuration, Configuration)
    for problem in configuration.problems:
        assert problem.message.encode("utf-8")
    if not configuration.errors:
        configuration.amount("timeout")
        configuration.memory("mem_hard_limit")
        configuration.texts("tags")
        configuration.environment("default_env")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_a_problem(content: bytes) -> None:
    configuration = read_json("a.json", content)
    assert configuration.problems or isinstance(configuration.written, dict)


CRON_FIELDS = st.from_regex(
    r"(\*|[0-9]{1,2}|mon|jan)(-[0-9]{1,2}|-fri)?(/[0-9]{1,2})?(,[0-9]{1,2})?", fullmatch=True
)


@settings(max_examples=500, deadline=None)
@given(st.lists(CRON_FIELDS | st.just("*"), min_size=4, max_size=6))
def test_what_passes_for_cron_the_scheduler_will_take(fields: list[str]) -> None:
    assert not is_cron(" ".join(fields)) or croniter.is_valid(" ".join(fields))


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/5 9-17 * jan,jul mon-fri",
        "0 0 1,15 * 7",
        "59 23 31 12 0",
        "0-30/10 * * * *",
        "0 8 * * MON",
    ],
)
def test_cron_as_people_write_it(text: str) -> None:
    assert is_cron(text)
    assert croniter.is_valid(text)


NOT_CRON = [
    "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
    "@daily", "*/0 * * * *", "5-1 * * * *", "x * * * *", "1, * * * *", "1--2 * * * *", "* * * * mo",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_CRON)
def test_what_is_not_cron(text: str) -> None:
    assert not is_cron(text)
