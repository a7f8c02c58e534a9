"""Random histories: many things at once, each living a life the deciders would allow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from events import pipeline, run
from events.base import Event, Stream
from events.pipeline import PipelineBroken, PipelineDefined, PipelineGone, Problem
from events.run import (
    AttemptBegun,
    CancelRequested,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    LogGapDeclared,
    Progressed,
    RunCancelled,
    RunFailed,
    RunRequested,
    RunSucceeded,
    SetupFinished,
    SetupStarted,
    StepEntered,
    StopSignalled,
    TimedOut,
)
from events.system import (
    ENGINE,
    PROCESSES,
    EngineConnected,
    EngineLost,
    EnvironmentFailed,
    EnvironmentReady,
    ProcessStarted,
    ProcessStopped,
    environment,
)

History: TypeAlias = list[tuple[Stream, Event]]
"""Events of several streams in the order they happened."""

PIPELINES = ("sales", "weather", "käse", "a'b\"c\\d")
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
numbers = st.integers(0, 2**53)
amounts = st.floats(allow_nan=False, allow_infinity=False, width=32)
times = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


def optional(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


requests = st.builds(
    RunRequested,
    pipeline=st.sampled_from(PIPELINES),
    snapshot=words,
    entry=words,
    requirements=st.lists(words, max_size=2).map(tuple),
    env=st.dictionaries(words, words, max_size=2),
    cpu_limit=optional(amounts),
    memory_limit_bytes=optional(numbers),
    timeout_seconds=optional(amounts),
    trigger=st.sampled_from(["manual", "api", "schedule"]),
)
definitions = st.builds(
    PipelineDefined,
    snapshot=words,
    form=st.sampled_from(["file", "folder"]),
    entry=words,
    source=words,
    configuration=st.dictionaries(words, words | amounts | st.lists(numbers, max_size=2), max_size=3),
    description=words,
    tags=st.lists(words, max_size=2).map(tuple),
    enabled=st.booleans(),
    cpu_limit=optional(amounts),
)
problems = st.builds(Problem, file=words, message=words, line=optional(numbers), field=optional(words))


@st.composite
def attempts(draw: st.DrawFn, attempt: int) -> list[Event]:
    """One attempt with what may happen in it, but for its end."""
    events: list[Event] = [AttemptBegun(attempt=attempt, container=draw(words))]
    if draw(st.booleans()):
        events.append(SetupStarted(attempt=attempt))
    if draw(st.booleans()):
        events.append(
            SetupFinished(
                attempt=attempt,
                environment=draw(words),
                cached=draw(st.booleans()),
                seconds=draw(amounts),
                packages=draw(numbers),
            )
        )
    if draw(st.booleans()):
        events.append(
            ContainerStarted(
                attempt=attempt,
                container_id=draw(words),
                image=draw(words),
                started_at=draw(times),
                deadline=draw(st.none() | times),
            )
        )
        events += draw(st.lists(during(attempt), max_size=4))
        if draw(st.booleans()):
            events.append(
                ContainerExited(
                    attempt=attempt,
                    exit_code=draw(st.integers(0, 255)),
                    out_of_memory=draw(st.booleans()),
                    finished_at=draw(times),
                    lines=draw(numbers),
                    bytes=draw(numbers),
                )
            )
    return events


def during(attempt: int) -> st.SearchStrategy[Event]:
    """What may happen while a script runs."""
    return st.one_of(
        st.builds(Progressed, attempt=st.just(attempt), done=amounts, total=st.none() | amounts, text=words),
        st.builds(StepEntered, attempt=st.just(attempt), name=words),
        st.builds(CancelRequested, by=words),
        st.just(TimedOut(attempt=attempt)),
        st.builds(StopSignalled, attempt=st.just(attempt), signal=st.sampled_from(["TERM", "KILL"])),
        st.builds(
            LogGapDeclared,
            attempt=st.just(attempt),
            cause=st.sampled_from(["size_cap", "container_lost"]),
            after_line=numbers,
            lines=st.none() | numbers,
        ),
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Event]:
    """One run, over or not."""
    events: list[Event] = [draw(requests)]
    count = draw(st.integers(0, 2))
    for attempt in range(1, count + 1):
        events += draw(attempts(attempt))
    end: Event | None = draw(
        st.sampled_from(
            [
                None,
                RunSucceeded(attempt=count),
                RunFailed(attempt=count, reason="exit_code", exit_code=1),
                RunFailed(attempt=count, reason="lost", detail="gone"),
                RunCancelled(attempt=count, by="ann"),
            ]
        )
    )
    if end is not None:
        events.append(end)
    if end is not None and count and draw(st.booleans()):
        events.append(ContainerRemoved(attempt=count))
    return events


@st.composite
def pipelines(draw: st.DrawFn) -> list[Event]:
    """One pipeline, found and changed."""
    broken = st.builds(PipelineBroken, problems=st.lists(problems, min_size=1, max_size=2).map(tuple))
    first = draw(definitions | broken)
    return [first, *draw(st.lists(definitions | broken | st.just(PipelineGone()), max_size=3))]


engine_events = st.one_of(
    st.builds(EngineConnected, engine_version=words, image=words, image_digest=st.none() | words),
    st.builds(EngineLost, detail=words),
)
process_events = st.one_of(
    st.builds(ProcessStarted, role=st.sampled_from(["up", "web"]), release=words, host=words),
    st.builds(ProcessStopped, role=st.sampled_from(["up", "web"]), host=words),
)
environment_events = st.one_of(
    st.builds(
        EnvironmentReady,
        environment=words,
        requirements=st.just(()),
        lock=words,
        packages=numbers,
        seconds=amounts,
    ),
    st.builds(EnvironmentFailed, requirements=st.just(()), detail=words),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Several lives, interleaved."""
    lives: list[tuple[Stream, Sequence[Event]]] = [
        (run.stream(f"run-{number}"), life) for number, life in enumerate(draw(st.lists(runs(), max_size=6)))
    ]
    lives += [(pipeline.stream(name), draw(pipelines())) for name in PIPELINES if draw(st.booleans())]
    lives.append((ENGINE, draw(st.lists(engine_events, max_size=4))))
    lives.append((PROCESSES, draw(st.lists(process_events, max_size=4))))
    lives.append((environment("0123"), draw(st.lists(environment_events, max_size=2))))
    turns = draw(st.permutations([place for place, (_, life) in enumerate(lives) for _ in life]))
    coming = [iter(life) for _, life in lives]
    return [(lives[place][0], next(coming[place])) for place in turns]
