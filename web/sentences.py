"""Why a run is as it is and what to do about it, in whole sentences."""

from __future__ import annotations

import dataclasses

from projections.run_detail import RunDetail
from web.parts import Part
from web.words import actor, counted, duration, size

SIGNALLED = 128
"""Exit codes above this are signals: 137 is KILL."""


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """What a run's page says first."""

    sentence: str
    advice: str = ""


def story(run: RunDetail, ahead: int, missing: Part | None = None) -> Story:
    """The story of a run; `ahead` waiting runs were asked for before it, a part may be missing."""
    match run.status:
        case "PENDING":
            return _waiting(run, ahead, missing)
        case "RUNNING":
            return _running(run)
        case "SUCCESS":
            return Story(f"The script finished{_after(run)} with exit code 0.")
        case "FAILED":
            return _failed(run)
        case "CANCELLED":
            return _cancelled(run)


def _waiting(run: RunDetail, ahead: int, missing: Part | None) -> Story:
    if run.reason == "cancelling":
        return Story("It is being cancelled.")
    if missing is not None:
        return Story(f"It waits for the {missing.name.lower()}, which is {missing.word}.", missing.meaning)
    if ahead:
        runs = "1 run is" if ahead == 1 else f"{ahead:,} runs are"
        return Story(f"It waits for a free slot; {runs} before it.", "It starts by itself.")
    return Story("It is next, and starts as soon as a slot is free.")


def _running(run: RunDetail) -> Story:
    attempt = run.attempt
    if run.reason == "cancelling":
        killed = run.stop is not None and any(s.signal == "KILL" for s in run.stop.signals)
        who = actor(run.stop.by) if run.stop else "somebody"
        grace = duration(run.request.stop_grace_seconds * 1000)
        if killed:
            return Story(f"Cancelled by {who}; it did not end when asked, so it was killed.")
        return Story(f"Cancelled by {who}; the script has {grace} to end by itself.")
    if run.reason == "timing_out":
        return Story(f"Its {_limit(run)} are over; it is being stopped.")
    if run.reason == "installing_dependencies":
        return Story(
            "Its dependencies are being installed.",
            "This happens once; later runs with the same requirements start at once.",
        )
    if attempt is None or attempt.started_at is None:
        return Story("Its container is starting.")
    return Story("The script is running.")


def _failed(run: RunDetail) -> Story:
    memory = size(run.request.memory_limit_bytes) if run.request.memory_limit_bytes else "the memory there is"
    stories = {
        "exit_code": Story(
            f"The script ended{_after(run)} with exit code {run.exit_code}.{_signal(run)}",
            "The reason is usually at the end of the log.",
        ),
        "timeout": Story(
            f"The script was still running after its {_limit(run)} and was stopped.",
            "Raise `timeout` in the pipeline's configuration if it needs longer.",
        ),
        "out_of_memory": Story(
            f"The script needed more than {memory} and was killed.",
            "Raise `mem_hard_limit` in the pipeline's configuration, or read less at a time.",
        ),
        "killed": Story(
            f"The script was killed from outside{_after(run)}.{_signal(run)}",
            "Somebody or something on the machine stopped its container.",
        ),
        "image_missing": Story(
            "The worker image is not on the container engine.", "`fastflow setup` puts it there."
        ),
        "dependencies_failed": Story(
            "Its dependencies could not be installed.", "What uv said is at the end of the log."
        ),
        "command_missing": Story("The container could not start the script's command."),
        "pipeline_missing": Story("The code this run was to execute is not there any more."),
        "lost": Story(
            "Its container disappeared from the engine before it ended.",
            "The script may have done part of its work.",
        ),
        "engine_error": Story("The container engine could not run it."),
        "engine_restarted": Story(
            "The container engine restarted and ended the script.", "Run it again when the engine is steady."
        ),
    }
    return stories.get(str(run.reason), Story("It failed."))


def _cancelled(run: RunDetail) -> Story:
    who = actor(run.cancelled_by or "system")
    if run.attempt is None or run.attempt.started_at is None:
        return Story(f"Cancelled by {who} before the script began.")
    return Story(f"Cancelled by {who}{_after(run)}.")


def _after(run: RunDetail) -> str:
    spent = None if run.attempt is None else run.attempt.script_milliseconds
    return "" if spent is None else f" after {duration(spent)}"


def _limit(run: RunDetail) -> str:
    seconds = run.request.timeout_seconds
    return "time limit" if seconds is None else counted(round(seconds), "second")


def _signal(run: RunDetail) -> str:
    known = {130: "INT", 134: "ABRT", 137: "KILL", 139: "SEGV", 143: "TERM"}
    name = known.get(run.exit_code or 0)
    return f" That is signal {name}." if name else ""
