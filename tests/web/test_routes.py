"""Every address, walked: what the table says is what the server does."""

from __future__ import annotations

import itertools
import re

from tests.web.conftest import House
from web.routes import TABLE

SAME = {"sec-fetch-site": "same-origin"}
ID = "0198f7a2-5d31-7cc0-8a11-3f0e6b7c9d42"
FILLED = {"{id}": ID, "{name}": "nope", "{name:path}": "nope", "{release}": "x"}
OPEN_STREAMS = ("/live",)


def filled(pattern: str) -> str:
    return re.sub(r"{[a-z:]+}", lambda found: FILLED[found[0]], pattern)


async def test_every_address_has_a_role_and_a_sentence_of_its_own() -> None:
    for address in TABLE:
        assert address.role in ("anyone", "viewer", "operator", "admin")
        assert address.summary
        if address.method != "GET" and address.pattern != "/theme":
            assert address.role in ("operator", "admin"), address.pattern
    keys = [(address.method, address.pattern) for address in TABLE]
    assert len(keys) == len(set(keys))


async def test_every_address_answers_in_words_and_never_breaks(house: House) -> None:
    for address in TABLE:
        if address.pattern in OPEN_STREAMS:
            continue
        answer = await house.client.request(address.method, filled(address.pattern), headers=SAME)
        assert answer.status_code < 500 or address.pattern == "/health", address.pattern
        if "{" in address.pattern:
            assert answer.status_code == 404, address.pattern
        for word in ("Traceback", "Internal Server Error"):
            assert word not in answer.text


async def test_other_methods_are_refused_by_name(house: House) -> None:
    patterns = {address.pattern for address in TABLE}
    for pattern, method in itertools.product(patterns, ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"]):
        answer = await house.client.request(method, filled(pattern), headers=SAME)
        assert answer.status_code == 405, pattern
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed - {"HEAD"} == {a.method for a in TABLE if a.pattern == pattern}


async def test_gets_change_nothing(house: House) -> None:
    await house.pipeline()
    run = await house.done("sales", b"one")
    head = await house.store.head()
    for address in TABLE:
        if address.method == "GET" and address.pattern not in OPEN_STREAMS:
            path = address.pattern.replace("{id}", run).replace("{name}", "sales")
            await house.client.get(filled(path))
            await house.client.head(filled(path))
    assert await house.store.head() == head


MANGLED = [
    "/",
    "//",
    ";x",
    ".json",
    "/%2e%2e/",
    "%2f",
    "%00",
    "%ff",
    "/..",
    "/livez",
    "?x=/livez",
    "%20",
    "%0d%0a",
]


async def test_mangled_addresses_are_nothing_and_lead_nowhere(house: House) -> None:
    patterns = sorted({filled(address.pattern) for address in TABLE} - {"/live"})
    for path, mangled in itertools.product(patterns, MANGLED):
        if path == "/" and mangled == "/":
            continue
        answer = await house.client.get(path + mangled)
        assert answer.status_code in (200, 400, 404, 405, 503), path + mangled
        assert "location" not in answer.headers, path + mangled
    for path in (path.upper() for path in patterns if path != "/"):
        assert (await house.client.get(path)).status_code in (400, 404)


async def test_nul_and_broken_text_are_bad_requests(house: House) -> None:
    for path in (
        "/runs/%00",
        "/pipelines/%00",
        "/pipelines/a%00b",
        "/runs?q=%00",
        "/%ff",
        "/runs?q=%c3",
        "/api/runs?q=%00",
    ):
        assert (await house.client.get(path)).status_code == 400, path
