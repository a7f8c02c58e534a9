"""The pipeline decider: what is in force of a pipeline, whatever happens to its files."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias, assert_never

from events.errors import NotFound
from events.pipeline import PipelineBroken, PipelineDefined, PipelineEvent, PipelineGone, Problem
from fastflow.domain.decider import Decider

Events: TypeAlias = tuple[PipelineEvent, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class DefinePipeline:
    """The pipeline's files are good and say this."""

    definition: PipelineDefined


@dataclasses.dataclass(frozen=True, slots=True)
class BreakPipeline:
    """The pipeline's files cannot run, for these reasons; at least one."""

    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class LosePipeline:
    """The pipeline's files are gone."""


PipelineCommand: TypeAlias = DefinePipeline | BreakPipeline | LosePipeline


@dataclasses.dataclass(frozen=True, slots=True)
class PipelineState:
    """What stands: the last good definition stays in force while the files are broken."""

    definition: PipelineDefined | None = None
    """None: there never was a good version."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the files now."""
    gone: bool = False


class UnknownPipeline(NotFound):
    """There is no such pipeline."""


def decide(command: PipelineCommand, state: PipelineState) -> Events:
    """What a look at the files leads to; nothing when it found what stands."""
    match command:
        case DefinePipeline():
            same = state == PipelineState(command.definition)
            return () if same else (command.definition,)
        case BreakPipeline():
            same = command.problems == state.problems and not state.gone
            return () if same else (PipelineBroken(problems=command.problems),)
        case LosePipeline():
            nothing_to_lose = state.gone or state == PipelineState()
            return () if nothing_to_lose else (PipelineGone(),)
        case _:
            assert_never(command)


def evolve(state: PipelineState, event: PipelineEvent) -> PipelineState:
    """What stands after an event."""
    match event:
        case PipelineDefined():
            return PipelineState(event)
        case PipelineBroken():
            return PipelineState(state.definition, event.problems)
        case PipelineGone():
            return PipelineState(state.definition, gone=True)
        case _:
            assert_never(event)


PIPELINE: Decider[PipelineCommand, PipelineState, PipelineEvent] = Decider(PipelineState(), decide, evolve)
