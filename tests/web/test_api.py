"""The API as a program uses it."""

from __future__ import annotations

import asyncio

from events import run as runs
from events.run import CancelRequested, Progressed, RunFailed, StepEntered
from tests.web.conftest import House

UNKNOWN = "0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42"


async def test_a_run_is_accepted_with_its_address(house: House) -> None:
    await house.pipeline()
    answer = await house.client.post("/api/pipelines/sales/run", json={"env": {"REGION": "eu"}})
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["location"] == f"/api/runs/{accepted['id']}"
    assert (accepted["status"], accepted["created"]) == ("PENDING", True)
    found = (await house.client.get(answer.headers["location"])).json()
    assert found["pipeline"] == "sales"
    assert found["env"] == ["REGION"]
    assert found["trigger"] == "api"
    assert found["reason"] == "waiting_for_slot"


async def test_a_run_accepted_a_moment_ago_is_there_at_once(house: House) -> None:
    await house.pipeline()
    for _ in range(20):
        answer = await house.client.post("/api/pipelines/sales/run")
        assert (await house.client.get(answer.headers["location"])).status_code == 200


async def test_a_value_given_to_a_run_is_told_nowhere(house: House) -> None:
    await house.pipeline()
    answer = await house.client.post("/api/pipelines/sales/run", json={"env": {"TOKEN": "s3cr3t-v4lue"}})
    run = answer.json()["id"]
    for path in (f"/api/runs/{run}", f"/runs/{run}", "/api/runs", "/runs", "/"):
        assert "s3cr3t-v4lue" not in (await house.client.get(path)).text, path


async def test_the_same_key_is_the_same_run(house: House) -> None:
    await house.pipeline()
    key = {"idempotency-key": "monday"}
    answers = await asyncio.gather(
        *(house.client.post("/api/pipelines/sales/run", headers=key) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    again = await house.client.post("/api/pipelines/sales/run", headers=key)
    assert not again.json()["created"]
    other = await house.client.post("/api/pipelines/sales/run", headers=key, json={"env": {"A": "1"}})
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json()["detail"]


BODIES = [
    (b"", "", 202),
    (b"  ", "text/plain", 202),
    (b"{}", "application/json; charset=utf-8", 202),
    (b"{}", "text/plain", 415),
    (b"{}", "", 415),
    (b"env=1", "application/x-www-form-urlencoded", 415),
    (b"{", "application/json", 400),
    (b"\xff", "application/json", 400),
    (b"[" * 100_000, "application/json", 422),
    (b"[]", "application/json", 422),
    (b'{"env": {"A": 1}}', "application/json", 422),
    (b'{"env": {"A": "\\u0000"}}', "application/json", 422),
    (b'{"env": {"A": "\\ud800"}}', "application/json", 400),
    (b'{"env": {"not a name": ""}}', "application/json", 422),
    (b'{"image": "evil", "command": ["sh"]}', "application/json", 422),
]


async def test_a_body_is_json_of_a_known_shape_or_refused(house: House) -> None:
    await house.pipeline()
    for content, kind, status in BODIES:
        headers = {"content-type": kind} if kind else {}
        answer = await house.client.post("/api/pipelines/sales/run", content=content, headers=headers)
        assert answer.status_code == status, (content[:50], kind, answer.text)
        if status != 202:
            assert answer.json()["status"] == status


async def test_what_cannot_run_is_refused_with_the_reason(house: House) -> None:
    await house.pipeline("off", enabled=False)
    disabled = await house.client.post("/api/pipelines/off/run")
    assert disabled.status_code == 409
    assert "disabled" in disabled.json()["detail"]
    assert (await house.client.post("/api/pipelines/nope/run")).status_code == 404


async def test_pipelines_are_told(house: House) -> None:
    await house.pipeline("sales", description="Counts.", tags=("daily",))
    listed = (await house.client.get("/api/pipelines")).json()["pipelines"]
    assert [(p["name"], p["description"], p["tags"], p["can_run"]) for p in listed] == [
        ("sales", "Counts.", ["daily"], True)
    ]
    one = (await house.client.get("/api/pipelines/sales")).json()
    assert one["configuration"] == {"timeout": 60}
    assert (await house.client.get("/api/pipelines/nope")).status_code == 404


async def test_a_run_is_told_while_it_runs_and_after(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    await house.printed(run, b"one", b"two")
    progress = Progressed(attempt=1, done=3, total=10, text="rows")
    await house.tell(runs.stream(run), StepEntered(attempt=1, name="load"), progress)
    found = (await house.client.get(f"/api/runs/{run}")).json()
    assert (found["status"], found["reason"], found["lines"], found["step"]) == ("RUNNING", None, 2, "load")
    assert found["progress"]["done"] == 3
    await house.finished(run)
    over = (await house.client.get(f"/api/runs/{run}")).json()
    assert (over["status"], over["exit_code"], over["duration_seconds"]) == ("SUCCESS", 0, 12.0)


async def test_waiting_ends_when_the_run_does(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    waiting = asyncio.create_task(house.client.get(f"/api/runs/{run}", params={"wait": 9}))
    await house.somebody_waits()
    await house.finished(run)
    assert (await waiting).json()["status"] == "SUCCESS"
    assert house.live.pages == set()


async def test_waiting_ends_when_the_time_is_over_or_the_server_stops(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    answer = await house.client.get(f"/api/runs/{run}", params={"wait": 1})
    assert answer.json()["status"] == "RUNNING"
    waiting = asyncio.create_task(house.client.get(f"/api/runs/{run}", params={"wait": 60}))
    await house.somebody_waits()
    house.live.close()
    assert (await waiting).json()["status"] == "RUNNING"


async def test_cancelling_is_accepted_once_begun_and_refused_when_over(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    answer = await house.client.post(f"/api/runs/{run}/cancel")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/runs/{run}"
    asked = await house.store.read_stream(runs.stream(run))
    assert asked[-1].event == CancelRequested(by="api")
    assert (await house.client.post(f"/api/runs/{run}/cancel")).status_code == 202
    done = await house.done()
    assert (await house.client.post(f"/api/runs/{done}/cancel")).status_code == 409
    assert (await house.client.post(f"/api/runs/{UNKNOWN}/cancel")).status_code == 404


async def test_the_list_is_paged_without_gaps_or_doubles(house: House) -> None:
    await house.pipeline()
    ids = [await house.requested() for _ in range(7)]
    found: list[str] = []
    address = "/api/runs?limit=3&pipeline=sales"
    while address:
        answer = await house.client.get(address)
        page = answer.json()
        found += [run["id"] for run in page["runs"]]
        address = f"/api/runs?limit=3&pipeline=sales&cursor={page['next']}" if page["next"] else ""
        assert ("link" in answer.headers) == bool(page["next"])
    assert found == ids[::-1]


async def test_the_list_is_filtered(house: House) -> None:
    await house.pipeline()
    await house.pipeline("orders")
    waiting = await house.requested("orders")
    done = await house.done("sales")
    failed = await house.started("sales")
    await house.tell(runs.stream(failed), RunFailed(attempt=1, reason="lost"))

    async def ids(**parameters: str) -> list[str]:
        answer = await house.client.get("/api/runs", params=parameters)
        return [run["id"] for run in answer.json()["runs"]]

    assert await ids(status="SUCCESS") == [done]
    assert await ids(status="FAILED", pipeline="sales") == [failed]
    assert await ids(pipeline="orders") == [waiting]
    assert await ids(q="order") == [waiting]
    assert await ids(q=done[:20]) == [done]
    assert await ids(q="' or 1=1 --") == []


UNMEANT = [
    "status=running",
    "status=SUCCESS&status=FAILED",
    "limit=0",
    "limit=201",
    "limit=x",
    "limit=1.5",
    "cursor=-1",
    "cursor=abc",
    "cursor=99999999999999999999",
    "cursor=%D9%A1",
    "q=" + "x" * 201,
]


async def test_a_parameter_that_cannot_be_meant_is_a_bad_request(house: House) -> None:
    for query in UNMEANT:
        for path in ("/api/runs", "/runs"):
            if path == "/runs" and query.startswith("limit"):
                continue
            assert (await house.client.get(f"{path}?{query}")).status_code == 400, (path, query)


async def test_a_wait_has_bounds(house: House) -> None:
    run = await house.requested()
    for wait in ("61", "-1", "x"):
        assert (await house.client.get(f"/api/runs/{run}?wait={wait}")).status_code == 400


async def test_events_are_replayed_from_a_position(house: House) -> None:
    await house.pipeline()
    run = await house.requested()
    first = (await house.client.get("/api/events?limit=1")).json()
    assert len(first["events"]) == 1
    rest = (await house.client.get(f"/api/events?after={first['next']}&stream=run-{run}")).json()
    (requested,) = rest["events"]
    assert set(requested) == {"position", "type", "stream", "version", "at", "data", "meta"}
    assert (requested["type"], requested["stream"]) == ("run.requested", f"run-{run}")
    typed = (await house.client.get("/api/events?type=pipeline.defined")).json()
    assert {event["type"] for event in typed["events"]} == {"pipeline.defined"}


async def test_events_name_variables_and_tell_no_value(house: House) -> None:
    await house.pipeline()
    asked = {"env": {"TOKEN": "not-for-everybody"}}
    assert (await house.client.post("/api/pipelines/sales/run", json=asked)).status_code == 202
    replay = await house.client.get("/api/events?type=run.requested")
    assert "not-for-everybody" not in replay.text
    assert replay.json()["events"][0]["data"]["env"]["TOKEN"] == "***"


async def test_a_replay_that_cannot_be_meant_is_a_bad_request(house: House) -> None:
    for query in ("after=x", "after=-1", "limit=0", "limit=1001", "stream=nodash", "type=" + "x" * 201):
        assert (await house.client.get(f"/api/events?{query}")).status_code == 400, query


async def test_health_says_which_part_is_not_ready_and_since_when(house: House) -> None:
    unheard = await house.client.get("/health")
    assert unheard.status_code == 503
    assert unheard.json()["parts"]["engine"]["status"] == "unknown"
    await house.engine(digest=None)
    missing = (await house.client.get("/health")).json()
    assert missing["parts"]["worker_image"]["status"] == "missing"
    assert missing["parts"]["worker_image"]["since"]
    await house.engine()
    ready = await house.client.get("/health")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ok"
    assert set(ready.json()["parts"]) == {"database", "engine", "worker_image", "read_models"}
    assert (await house.client.get("/livez")).json() == {"status": "ok"}
