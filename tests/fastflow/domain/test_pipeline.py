"""The pipeline decider: the last good version stays in force."""

from __future__ import annotations

import msgspec
from hypothesis import given as drawn
from hypothesis import strategies as st

from events.pipeline import PipelineBroken, PipelineDefined, PipelineEvent, PipelineGone, Problem
from fastflow.domain.pipeline import (
    PIPELINE,
    BreakPipeline,
    DefinePipeline,
    LosePipeline,
    PipelineCommand,
    PipelineState,
)
from tests.scenario import Given, given

GOOD = PipelineDefined(
    snapshot="s1", form="file", entry="sales.py", source="print(1)", configuration={"tags": ["a"]}
)
BETTER = msgspec.structs.replace(GOOD, snapshot="s2", source="print(2)")
TYPO = Problem(file="sales.json", message="is not JSON", line=3)
BROKEN = PipelineBroken(problems=(TYPO,))
GONE = PipelineGone()


def pipeline(*events: PipelineEvent) -> Given[PipelineCommand, PipelineState, PipelineEvent]:
    return given(PIPELINE, *events)


def test_a_definition_is_told_when_it_differs_from_what_stands() -> None:
    pipeline().when(DefinePipeline(GOOD)).then(GOOD).when(DefinePipeline(BETTER)).then(BETTER)
    pipeline(GOOD).when(DefinePipeline(GOOD)).then_nothing()
    pipeline(GOOD, BETTER).when(DefinePipeline(GOOD)).then(GOOD)


def test_a_broken_pipeline_keeps_its_last_good_definition() -> None:
    broken = pipeline(GOOD).when(BreakPipeline((TYPO,))).then(BROKEN)
    assert broken.state == PipelineState(GOOD, (TYPO,))


def test_other_problems_are_told_again() -> None:
    other = msgspec.structs.replace(TYPO, line=4)
    pipeline(GOOD, BROKEN).when(BreakPipeline((other,))).then(PipelineBroken(problems=(other,)))


def test_a_mended_pipeline_is_defined_again_even_if_it_is_as_before() -> None:
    mended = pipeline(GOOD, BROKEN).when(DefinePipeline(GOOD)).then(GOOD)
    assert mended.state == PipelineState(GOOD)


def test_a_pipeline_may_be_broken_from_the_start() -> None:
    assert pipeline().when(BreakPipeline((TYPO,))).then(BROKEN).state == PipelineState(None, (TYPO,))


def test_a_lost_pipeline_can_come_back() -> None:
    lost = pipeline(GOOD, BROKEN).when(LosePipeline()).then(GONE)
    assert lost.state == PipelineState(GOOD, gone=True)
    lost.when(DefinePipeline(GOOD)).then(GOOD)
    lost.when(BreakPipeline((TYPO,))).then(BROKEN)


def test_what_never_was_cannot_be_lost() -> None:
    pipeline().when(LosePipeline()).then_nothing()


@drawn(
    st.lists(
        st.sampled_from(
            (DefinePipeline(GOOD), DefinePipeline(BETTER), BreakPipeline((TYPO,)), LosePipeline())
        )
    )
)
def test_whatever_happens_the_last_good_definition_is_in_force(commands: list[PipelineCommand]) -> None:
    told: list[PipelineEvent] = []
    for command in commands:
        told += PIPELINE.decide(command, PIPELINE.fold(told))
        assert PIPELINE.decide(command, PIPELINE.fold(told)) == ()
    defined = [command.definition for command in commands if isinstance(command, DefinePipeline)]
    assert PIPELINE.fold(told).definition == (defined[-1] if defined else None)
