"""What never reaches an endpoint, and what every answer carries."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from starlette.exceptions import HTTPException

from tests.web.conftest import House
from web.guard import HEADERS, is_local, readable, refuse


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.9.9.9:1",
        "[::1]",
        "[::1]:8000",
        "box:1",
    ],
)
async def test_this_machines_names_are_served(header: str) -> None:
    assert is_local(header, "box")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "evil.com",
        "localhost.evil.com",
        "127.0.0.1.evil.com",
        "localhost@evil.com",
        "evil.com:8000",
        "localhost/x",
        "localhost:x",
        "localhost:99999999",
        "[::2]",
        "::1",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104  refused as a name
        "localhost\n",
    ],
)
async def test_other_names_are_refused(header: str) -> None:
    assert not is_local(header, "box")


async def test_bytes_that_are_no_text_are_noticed() -> None:
    assert readable(b"/runs?q=%C3%A4")
    assert not readable(b"/runs/%00")
    assert not readable(b"q=%ff")
    assert not readable(b"%ed%a0%80")


async def test_two_hosts_are_no_host() -> None:
    scope = {"method": "GET", "path": "/", "query_string": b""}
    twice = [(b"host", b"localhost"), (b"host", b"evil.com")]
    refuse({**scope, "headers": twice[:1]}, "localhost")
    with pytest.raises(HTTPException) as refused:
        refuse({**scope, "headers": twice}, "localhost")
    assert refused.value.status_code == 400


async def test_every_answer_has_the_headers(house: House) -> None:
    for path in ("/", "/nope", "/api/nope", "/health", "/api/runs", "/static/x/icon.svg", "/runs/%00"):
        answer = await house.client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
        assert answer.headers["x-request-id"]
        assert "cache-control" in answer.headers
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


async def test_a_foreign_host_is_refused(house: House) -> None:
    for host in ("evil.com", "127.0.0.1.evil.com", "x@127.0.0.1"):
        answer = await house.client.get("/", headers={"host": host})
        assert answer.status_code == 400, host
    outward = await house.client.get("//evil.com/x", headers={"accept": "text/html"})
    assert outward.status_code == 404
    assert "evil.com" not in outward.text
    forged = {"x-forwarded-host": "evil.com", "forwarded": "host=evil.com", "x-original-url": "/livez"}
    answer = await house.client.get("/", headers=forged)
    assert answer.status_code == 200
    assert "evil.com" not in answer.text


SAME = {"sec-fetch-site": "same-origin"}


FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
    {"origin": "http://evil.com"},
    {"origin": "null"},
    {"origin": "https://127.0.0.1"},
    {"origin": "http://127.0.0.1:1"},
]


async def test_a_cross_site_post_does_nothing(house: House) -> None:
    await house.pipeline()
    head = await house.store.head()
    for path, headers in itertools.product(
        ("/pipelines/sales/run", "/api/pipelines/sales/run", "/theme"), FOREIGN
    ):
        answer = await house.client.post(path, headers=headers)
        assert answer.status_code == 403, (path, headers)
    assert await house.store.head() == head


async def test_our_own_pages_may_post(house: House) -> None:
    await house.pipeline()
    for headers in (SAME, {"origin": house.address}, {"origin": house.address.upper()}):
        answer = await house.client.post("/pipelines/sales/run", headers=headers)
        assert answer.status_code == 303, headers


async def test_a_form_of_a_page_is_not_for_programs_but_the_api_is(house: House) -> None:
    await house.pipeline()
    assert (await house.client.post("/pipelines/sales/run")).status_code == 403
    assert (await house.client.post("/api/pipelines/sales/run")).status_code == 202


async def test_a_method_override_changes_nothing(house: House) -> None:
    await house.pipeline()
    head = await house.store.head()
    for headers in ({"x-http-method-override": "POST"}, {"x-method-override": "POST"}):
        answer = await house.client.get("/api/pipelines/sales/run?_method=POST", headers=headers)
        assert answer.status_code == 405
    assert await house.store.head() == head


async def test_a_body_has_a_limit(house: House) -> None:
    await house.pipeline()
    path = "/api/pipelines/sales/run"
    just = b'{"env": {}}' + b" " * ((1 << 20) - 11)
    json = {"content-type": "application/json"}
    assert (await house.client.post(path, content=just, headers=json)).status_code == 202

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 65536

    for content in (just + b" ", pieces(17)):
        answer = await house.client.post(path, content=content, headers=json)
        assert answer.status_code == 413
        assert answer.json()["status"] == 413


async def test_an_address_has_a_limit(house: House) -> None:
    assert (await house.client.get("/runs?q=" + "x" * 9000)).status_code == 414
