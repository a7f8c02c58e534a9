"""Which pipelines there are, and what is wrong with them."""

from __future__ import annotations

import pytest

from events import pipeline
from events.base import Event
from events.errors import NotFound
from events.pipeline import PipelineBroken, PipelineDefined, PipelineGone, Problem
from events.store import EventStore
from projections import pipeline_list
from projections.pipeline_list import PIPELINE_LIST, Pipeline
from sql.database import Database
from tests.projections.conftest import Project
from tests.projections.projecting import row_of, second

DEFINED = PipelineDefined(
    snapshot="s" * 64,
    form="folder",
    entry="main.py",
    source="print('é')\n",
    configuration={"timeout": 30, "schedules": [{"cron": "@daily"}]},
    description="Adds up sales",
    tags=("daily", "sales"),
    requirements=("pandas",),
    env={"REGION": "eu"},
    cpu_limit=0.5,
    memory_limit_bytes=1 << 29,
    timeout_seconds=30,
    warnings=(Problem("sales/pipeline.json", "no such field", 3, "tiemout", "warning"),),
)
BROKEN = PipelineBroken(problems=(Problem("sales/pipeline.json", "expected a comma", line=3),))


def sales(*events: Event) -> Pipeline:
    return row_of(PIPELINE_LIST, *events, stream=pipeline.stream("sales"))


def test_a_definition_is_shown_whole() -> None:
    row = sales(DEFINED)

    fields = (field for field in PipelineDefined.__struct_fields__)
    assert all(getattr(row, field) == getattr(DEFINED, field) for field in fields)
    assert (row.name, row.gone, row.defined_at, row.updated_at) == ("sales", False, second(1), second(1))


def test_a_broken_pipeline_keeps_its_last_good_definition() -> None:
    row = sales(DEFINED, BROKEN)

    assert (row.snapshot, row.problems) == (DEFINED.snapshot, BROKEN.problems)
    assert (row.defined_at, row.updated_at) == (second(1), second(2))


def test_a_pipeline_may_be_broken_from_the_start() -> None:
    row = sales(BROKEN)

    assert (row.snapshot, row.defined_at, row.problems) == (None, None, BROKEN.problems)


def test_a_mended_pipeline_has_no_problems() -> None:
    assert sales(BROKEN, DEFINED).problems == ()


def test_a_pipeline_that_is_gone_may_come_back() -> None:
    assert sales(DEFINED, PipelineGone()).gone
    assert not sales(DEFINED, PipelineGone(), DEFINED).gone
    assert not sales(DEFINED, PipelineGone(), BROKEN).gone


async def test_pipelines_are_listed_by_name_without_those_that_are_gone(
    database: Database, store: EventStore, project: Project
) -> None:
    await store.append(pipeline.stream("sales"), [DEFINED], expected=0)
    await store.append(pipeline.stream("old"), [DEFINED, PipelineGone()], expected=0)
    await store.append(pipeline.stream("broken"), [BROKEN], expected=0)
    await project()

    listed = await pipeline_list.all(database)

    assert [(each.name, each.can_run, each.problems) for each in listed] == [
        ("broken", False, BROKEN.problems),
        ("sales", True, ()),
    ]
    assert (listed[1].tags, listed[1].warnings, listed[1].form) == (DEFINED.tags, DEFINED.warnings, "folder")
    assert (await pipeline_list.get(database, "old")).gone
    assert (await pipeline_list.get(database, "sales")).configuration == DEFINED.configuration


async def test_an_unknown_pipeline_is_not_found_but_near_names_are(
    database: Database, store: EventStore, project: Project
) -> None:
    for name in ("sales", "sales_report", "weather"):
        await store.append(pipeline.stream(name), [DEFINED], expected=0)
    await project()

    with pytest.raises(NotFound, match=r"Did you mean sales\?$"):
        await pipeline_list.get(database, "salse")
    with pytest.raises(NotFound, match=r"^There is no pipeline zzz\.$"):
        await pipeline_list.get(database, "zzz")
