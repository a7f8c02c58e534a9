"""Asking for runs: what is in force is fixed in the request, what cannot be is refused with a reason."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import msgspec
import pytest

from events import pipeline as pipelines
from events import run as runs
from events.errors import Invalid, NotPossibleNow
from events.pipeline import PipelineDefined
from events.run import CancelRequested, RunCancelled, RunRequested
from events.store import EventStore
from fastflow.asking import Asking, PipelineDisabled, PipelineGoneAway, PipelineNeverGood, asked_python
from fastflow.commands import Commands
from fastflow.domain.pipeline import (
    PIPELINE,
    BreakPipeline,
    DefinePipeline,
    LosePipeline,
    PipelineCommand,
    UnknownPipeline,
)
from fastflow.domain.run import KeyReused, RunAlreadyOver, UnknownRun
from fastflow.domain.run_rules import RUN
from fastflow.identity import checked_run, keyed_run, new_run
from fastflow.settings import Settings
from tests.fastflow.domain.histories import BEGIN
from tests.fastflow.domain.test_pipeline import TYPO

SALES = PipelineDefined(
    snapshot="s1",
    form="file",
    entry="sales.py",
    source="print(1)",
    configuration={},
    requirements=("pandas",),
    env={"REGION": "north", "YEAR": "2026"},
    cpu_limit=0.5,
    memory_limit_bytes=1 << 30,
    stop_grace_seconds=3.0,
    network="none",
)


class Desk:
    """Asking, and the pipelines it asks about."""

    def __init__(self, store: EventStore, folder: Path) -> None:
        self.store = store
        self.commands = Commands(store)
        self.settings = Settings(
            pipelines_dir=folder,
            data_dir=folder,
            logs_dir=folder,
            uv_cache_dir=folder,
            container_timeout=900,
        )
        self.asking = Asking(self.commands, store, self.settings)

    async def tell(self, name: str, *commands: PipelineCommand) -> None:
        for command in commands:
            await self.commands.handle(PIPELINE, pipelines.stream(name), command)

    async def ask(self, name: str = "sales", key: str | None = None, **env: str) -> str:
        asked = await self.asking.run(name, trigger="api", actor="ana", env=env, idempotency_key=key)
        return asked.run

    async def request(self, run: str) -> RunRequested:
        (first, *_) = await self.store.read_stream(runs.stream(run))
        assert isinstance(first.event, RunRequested)
        return first.event


@pytest.fixture
def desk(store: EventStore, tmp_path: Path) -> Desk:
    return Desk(store, tmp_path)


async def test_a_request_holds_everything_the_run_will_be(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    asked = await desk.asking.run("sales", trigger="manual", actor="ana", env={"YEAR": "2025", "X": ""})
    assert asked.created
    (recorded,) = await desk.store.read_stream(runs.stream(asked.run))
    assert recorded.position == asked.position
    assert recorded.meta.actor == "ana"
    assert recorded.event == RunRequested(
        pipeline="sales",
        snapshot="s1",
        entry="sales.py",
        requirements=("pandas",),
        env={"REGION": "north", "YEAR": "2025", "X": ""},
        cpu_limit=0.5,
        memory_limit_bytes=1 << 30,
        timeout_seconds=900,
        stop_grace_seconds=3.0,
        network="none",
        trigger="manual",
    )


async def test_a_pipelines_own_timeout_wins(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(msgspec.structs.replace(SALES, timeout_seconds=5.0)))
    assert (await desk.request(await desk.ask())).timeout_seconds == 5.0


async def test_the_images_own_python_is_nothing_to_ask_for(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(msgspec.structs.replace(SALES, python_version="3.11")))
    assert (await desk.request(await desk.ask())).python_version is None
    await desk.tell("sales", DefinePipeline(msgspec.structs.replace(SALES, python_version="3.12")))
    assert (await desk.request(await desk.ask())).python_version == "3.12"
    assert asked_python(None, "worker:3.12") is None


async def test_each_request_is_another_run(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    assert await desk.ask() != await desk.ask()


async def test_a_broken_pipeline_runs_in_its_last_good_version(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES), BreakPipeline((TYPO,)))
    assert (await desk.request(await desk.ask())).snapshot == "s1"


async def test_a_pipeline_that_never_was_good_says_where_it_is_wrong(desk: Desk) -> None:
    await desk.tell("sales", BreakPipeline((TYPO,)))
    with pytest.raises(PipelineNeverGood, match=r"'sales' cannot run: sales\.json, line 3: is not JSON"):
        await desk.ask()


async def test_a_disabled_pipeline_is_refused(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(msgspec.structs.replace(SALES, enabled=False)))
    with pytest.raises(PipelineDisabled, match="disabled") as refused:
        await desk.ask()
    assert isinstance(refused.value, NotPossibleNow)


async def test_a_pipeline_whose_files_are_gone_is_not_found(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES), LosePipeline())
    with pytest.raises(PipelineGoneAway, match="gone"):
        await desk.ask()


async def test_an_unknown_pipeline_is_not_found_and_a_near_name_is_offered(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "sales.py").touch()
    (tmp_path / "weather").mkdir()
    with pytest.raises(UnknownPipeline, match="no pipeline 'sale'; did you mean 'sales'"):
        await desk.ask("sale")
    with pytest.raises(UnknownPipeline, match=r"no pipeline 'xyz'$"):
        await desk.ask("xyz")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300, "\ud800", "line\nbreak"])
async def test_names_no_pipeline_can_have_are_not_found(desk: Desk, name: str) -> None:
    with pytest.raises(UnknownPipeline):
        await desk.ask(name)


@pytest.mark.parametrize(
    "env", [{"1": "x"}, {"A B": "x"}, {"": "x"}, {"FASTFLOW_RUN_ID": "x"}, {"A": "\0"}, {"A": "\ud800"}]
)
async def test_variables_no_process_can_have_are_invalid(desk: Desk, env: dict[str, str]) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    with pytest.raises(Invalid):
        await desk.asking.run("sales", trigger="api", actor="ana", env=env)
    with pytest.raises(Invalid, match="larger"):
        await desk.asking.run("sales", trigger="api", actor="ana", env={"A": "x" * 200_000})


async def test_the_same_key_is_the_same_run_also_when_the_pipeline_changed_meanwhile(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    first = await desk.asking.run("sales", trigger="api", actor="ana", env={"A": "1"}, idempotency_key="k")
    await desk.tell("sales", DefinePipeline(msgspec.structs.replace(SALES, snapshot="s2", enabled=False)))
    again = await desk.asking.run("sales", trigger="cli", actor="ben", env={"A": "1"}, idempotency_key="k")
    assert (again.run, again.position, again.created) == (first.run, first.position, False)
    assert first.run == keyed_run("sales", "k")


async def test_the_same_key_with_another_request_is_refused(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    await desk.ask(key="k", A="1")
    with pytest.raises(KeyReused):
        await desk.ask(key="k", A="2")


async def test_the_same_key_of_another_pipeline_is_another_run(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    await desk.tell("weather", DefinePipeline(SALES))
    assert await desk.ask("sales", key="k") != await desk.ask("weather", key="k")


async def test_the_same_key_twenty_times_at_once_is_one_run(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    desks = [Asking(Commands(desk.store), desk.store, desk.settings) for _ in range(20)]
    asked = await asyncio.gather(
        *(one.run("sales", trigger="api", actor="ana", idempotency_key="k") for one in desks)
    )
    assert len({one.run for one in asked}) == 1
    assert len(await desk.store.read_stream(runs.stream(asked[0].run))) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_keys_that_are_none_are_invalid(desk: Desk, key: str) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    with pytest.raises(Invalid):
        await desk.ask(key=key)


async def test_a_cancel_says_by_whom(desk: Desk) -> None:
    await desk.tell("sales", DefinePipeline(SALES))
    waiting, active = await desk.ask(), await desk.ask()
    await desk.asking.cancel(waiting, actor="ben")
    await desk.commands.handle(RUN, runs.stream(active), BEGIN)
    position = await desk.asking.cancel(active, actor="ben")
    assert (await desk.store.read_stream(runs.stream(waiting)))[-1].event == RunCancelled(attempt=0, by="ben")
    last = (await desk.store.read_stream(runs.stream(active)))[-1]
    assert (last.event, last.position) == (CancelRequested(by="ben"), position)
    with pytest.raises(RunAlreadyOver):
        await desk.asking.cancel(waiting, actor="ben")


async def test_a_cancel_of_a_run_that_never_was(desk: Desk) -> None:
    with pytest.raises(UnknownRun):
        await desk.asking.cancel(new_run(), actor="ben")


A_RUN = "0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42"


@pytest.mark.parametrize("text", ["", "1", "not-a-run", f"{{{A_RUN}}}", A_RUN.upper(), f"{A_RUN} ", "\0"])
def test_what_is_no_run_id_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        checked_run(text)


def test_a_run_id_is_a_uuid_of_version_7() -> None:
    run = new_run()
    assert checked_run(run) == run
    assert uuid.UUID(run).version == 7
