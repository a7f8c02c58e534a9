"""Every call to the world is a gate that can fail or be the last."""

from __future__ import annotations

import pytest

from fastflow.engine import EngineAway
from fastflow.engine.double import DoubleEngine
from fastflow.engine.gates import KINDS, Crash, Fault, Gates, Kind
from tests.fastflow.engine.jobs import job


async def test_a_gated_object_is_used_like_the_object_itself() -> None:
    engine, gates = DoubleEngine(), Gates()
    gated = gates.guard("engine", engine, EngineAway)
    made = job(DOUBLE_LINES="2")
    await gated.create(made)
    await gated.start(made.name)
    pieces = [piece async for batch in gated.logs(made.name, 0, follow=True) for piece in batch]
    assert [text for _, _, text in pieces] == [b"line 1\n", b"line 2\n"]
    assert gates.passed == ["engine.create", "engine.start", "engine.logs", "engine.logs"]
    assert gated.starts == engine.starts == [made.name]
    assert isinstance(gated, DoubleEngine)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_loses_the_call_or_its_answer_and_a_crash_ends_everything(kind: Kind) -> None:
    engine, gates = DoubleEngine(), Gates(Fault(2, kind))
    gated = gates.guard("engine", engine, EngineAway)
    made = job()
    await gated.create(made)
    crash = kind.startswith("crash")
    with pytest.raises(Crash if crash else EngineAway):
        await gated.start(made.name)
    assert bool(engine.starts) is kind.endswith("after")
    if crash:
        with pytest.raises(Crash):
            await gated.observe(made.name)
        assert gates.crashed.is_set()
    else:
        assert (await gated.observe(made.name)).name == made.name


async def test_a_fault_can_name_the_call_it_hits() -> None:
    gates = Gates(Fault(2, "fail_before", of="engine.observe"))
    gated = gates.guard("engine", DoubleEngine(), EngineAway)
    made = job()
    await gated.create(made)
    await gated.observe(made.name)
    with pytest.raises(EngineAway):
        await gated.observe(made.name)
    await gated.observe(made.name)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_step_of_a_log_is_a_gate_its_end_too(kind: Kind) -> None:
    engine, gates = DoubleEngine(), Gates(Fault(2, kind, of="engine.logs"))
    gated = gates.guard("engine", engine, EngineAway)
    made = job(DOUBLE_LINES="1")
    await gated.create(made)
    await gated.start(made.name)
    log = aiter(gated.logs(made.name, 0, follow=True))
    assert len(await anext(log)) == 1
    with pytest.raises((Crash, EngineAway)):
        await anext(log)
