"""The halves apart: the pages live without the engine, and a run waits until somebody works."""

from __future__ import annotations

from pathlib import Path

import httpx

from bench.program import PIPELINES, Program, finished
from tests.whole.test_outages import eventually, part_is


async def test_web_accepts_what_work_carries_out(tmp_path: Path, empty_dsn: str) -> None:
    web = Program(tmp_path / "data", DATABASE_URL=empty_dsn, DOCKER_HOST="unix:///nowhere.sock")
    work = Program(tmp_path / "data", DATABASE_URL=empty_dsn)
    try:
        await work.start("work")
        await web.start("web")
        await web.ready()
        async with httpx.AsyncClient(base_url=web.url, timeout=60) as client:
            first = (await client.post("/api/pipelines/noop/run")).json()["id"]
            assert (await finished(client, first))["status"] == "SUCCESS"

            await work.stop()
            waiting = (await client.post("/api/pipelines/noop/run")).json()["id"]
            found = (await client.get(f"/api/runs/{waiting}")).json()
            assert (found["status"], found["reason"]) == ("PENDING", "waiting_for_slot")
            assert (await client.get("/")).is_success
            await work.start("work")

            assert (await finished(client, waiting))["status"] == "SUCCESS"
            await eventually(lambda: part_is(client, "engine", "ok"))
            names = [
                pipeline["name"] for pipeline in (await client.get("/api/pipelines")).json()["pipelines"]
            ]
            assert names == sorted(path.stem for path in PIPELINES.glob("*.py"))
    finally:
        await web.stop()
        await work.stop()
