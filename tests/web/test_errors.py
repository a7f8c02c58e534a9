"""A refusal is a problem document for programs and a page with a way back for people."""

from __future__ import annotations

import datetime as dt

import pytest

from events import errors as told
from events.errors import FastFlowError
from sql.database import Outage
from tests.web.conftest import House
from web.errors import STATUSES, TITLES, Malformed, status_of


def every(branch: type[FastFlowError]) -> list[type[FastFlowError]]:
    return [branch, *(leaf for child in branch.__subclasses__() for leaf in every(child))]


async def test_every_error_has_a_status_with_a_title() -> None:
    for branch in every(FastFlowError):
        assert status_of(branch.__new__(branch)) in TITLES, branch
    assert status_of(told.NotFound()) == 404
    assert status_of(Malformed()) == 400
    assert status_of(told.Invalid()) == 422
    assert status_of(told.NotPossibleNow()) == 409
    assert status_of(told.DatabaseAway()) == 503
    assert status_of(told.StorageFull()) == 507
    assert status_of(told.UnknownEvent()) == 500
    assert status_of(ValueError()) == 500
    assert set(STATUSES.values()) <= set(TITLES)


async def test_programs_get_a_problem_document(house: House) -> None:
    answer = await house.client.get("/api/runs/0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:fastflow:problem:not-found"
    assert problem["status"] == 404
    assert problem["instance"] == "/api/runs/0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "There is no run" in problem["detail"]


async def test_a_page_asked_for_as_json_is_refused_as_json(house: House) -> None:
    answer = await house.client.get("/nope", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    browser = await house.client.get("/nope", headers={"accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    assert browser.headers["content-type"].startswith("text/html")


async def test_people_get_a_page_with_a_way_back(house: House) -> None:
    for path in ("/nope", "/runs/0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42", "/pipelines/nope"):
        answer = await house.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 404
        assert 'href="/runs"' in answer.text
        assert answer.headers["x-request-id"] in answer.text


MALFORMED = ("x", "0198F7A2-5D31-7CC0-8A11-3F0E6B7C9D42", "0198f7a25d317cc08a113f0e6b7c9d42", "1")


async def test_a_malformed_id_is_a_bad_request(house: House) -> None:
    for name in MALFORMED:
        for path in (
            f"/runs/{name}",
            f"/api/runs/{name}",
            f"/api/runs/{name}/logs",
            f"/api/runs/{name}/logs/stream",
        ):
            answer = await house.client.get(path)
            assert answer.status_code == 400, path
            assert "0198f7a2" in answer.text


async def test_a_failure_of_ours_says_no_more_than_that(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        message = "the secret cause"
        raise RuntimeError(message)

    monkeypatch.setattr("projections.pipeline_list.all", broken)
    for path, kind in (("/pipelines", "text/html"), ("/api/pipelines", "application/problem+json")):
        answer = await house.client.get(path)
        assert answer.status_code == 500
        assert answer.headers["content-type"].startswith(kind)
        assert "the secret cause" not in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert answer.headers["content-security-policy"]


async def test_an_absent_database_is_a_page_that_says_since_when_and_asks_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        house.database.outage = Outage("away", dt.datetime(2026, 3, 1, 14, 5, 9, tzinfo=dt.UTC), "refused")
        raise told.DatabaseAway

    monkeypatch.setattr("projections.pipeline_list.all", away)
    answer = await house.client.get("/pipelines")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert 'http-equiv="refresh"' in answer.text
    assert "14:05:09" in answer.text


async def test_a_part_of_a_page_is_kept_when_it_cannot_be_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise told.DatabaseAway

    monkeypatch.setattr("projections.pipeline_list.all", away)
    answer = await house.client.get(
        "/pipelines", headers={"hx-request": "true", "hx-target": "div#pipeline_rows"}
    )
    assert (answer.status_code, answer.headers["hx-reswap"], answer.text) == (503, "none", "")
    banners = await house.client.get("/pipelines", headers={"hx-request": "true", "hx-target": "div#banners"})
    assert banners.status_code == 503
    assert banners.text.lstrip().startswith('<div class="banners"')
    assert "hx-reswap" not in banners.headers
