"""Environments are built when a pipeline is defined, before anybody runs it."""

from __future__ import annotations

import asyncio
import dataclasses

from events import pipeline as pipelines
from events.base import Event
from events.pipeline import PipelineDefined
from events.run import RunSucceeded
from events.system import EnvironmentFailed, EnvironmentReady, environment
from fastflow.domain.pipeline import PIPELINE, DefinePipeline
from fastflow.reactor.job import run_of
from fastflow.reactor.setup import requirements_digest
from tests.fastflow.reactor.house import DEADLINE_SECONDS, House


async def define(house: House, name: str, *requirements: str, enabled: bool = True) -> None:
    defined = PipelineDefined(
        snapshot="code",
        form="file",
        entry="main.py",
        source="",
        configuration={},
        requirements=requirements,
        enabled=enabled,
    )
    await house.commands.handle(PIPELINE, pipelines.stream(name), DefinePipeline(defined))


async def told(house: House, *requirements: str) -> Event:
    """Wait for what becomes of an environment."""
    stream = environment(requirements_digest(requirements, None))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            position = house.wake.control
            if words := await house.store.read_stream(stream):
                return words[-1].event
            await house.wake.beyond_control(position, 0.5)


async def test_a_defined_pipeline_finds_its_environment_ready(house: House) -> None:
    house.uv_pre_heat = True
    async with house.working():
        await define(house, "plain")
        await define(house, "broken", "no-such-package")
        await define(house, "off", "never-asked-for", enabled=False)
        await define(house, "sales", "pandas")
        assert isinstance(await told(house, "pandas"), EnvironmentReady)
        assert isinstance(await told(house, "no-such-package"), EnvironmentFailed)
        run = await house.request(requirements=("pandas",))
        assert await house.ended(run) == RunSucceeded(attempt=1)
    assert "setup_started" not in await house.kinds(run)
    assert len([name for name in house.engine.created if run_of(name) is None]) == 2


async def test_what_was_built_is_not_looked_at_again(house: House) -> None:
    house.uv_pre_heat = True
    house.patience = dataclasses.replace(house.patience, checkpoint_seconds=0.01)
    async with house.working():
        await define(house, "broken", "no-such-package")
        await told(house, "no-such-package")
        await define(house, "sales", "pandas")
        await told(house, "pandas")
        await define(house, "other", "numpy")
        await told(house, "numpy")
    before = list(house.engine.created)
    async with house.working():
        await define(house, "last", "polars")
        await told(house, "polars")
    assert len(house.engine.created) == len(before) + 1
