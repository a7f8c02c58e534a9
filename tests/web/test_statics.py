"""The files of the browser side: known by name, vendored ones unchanged."""

from __future__ import annotations

import hashlib
import re

from tests.web.conftest import House
from web import statics


async def test_a_file_may_be_kept_for_ever_under_its_releases_address(house: House) -> None:
    found = statics.read()
    answer = await house.client.get(found.address("css/base.css"))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    old = await house.client.get("/static/older/css/base.css")
    assert old.headers["cache-control"] == "no-cache"
    assert old.content == answer.content


STRANGE = [
    "nope.css",
    "css",
    "css/",
    "../app.py",
    "css/../../app.py",
    "%2e%2e/app.py",
    "css%2fbase.css%2f..%2f..",
    "/etc/passwd",
    "//etc/passwd",
    "vendor/VERSIONS.md",
    "CSS/BASE.CSS",
]


async def test_any_other_name_is_nothing(house: House) -> None:
    for name in STRANGE:
        answer = await house.client.get(f"/static/x/{name}")
        assert answer.status_code == 404, name


async def test_vendored_files_are_the_recorded_ones() -> None:
    recorded = (statics.FOLDER / "vendor" / "VERSIONS.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", recorded, re.MULTILINE)
    binary = {name for name in statics.read().files if name.startswith("vendor/") or name.endswith(".woff2")}
    assert {name for name, _ in rows} == {name for name in binary if not name.endswith(".txt")}
    for name, digest in rows:
        assert hashlib.sha256((statics.FOLDER / name).read_bytes()).hexdigest() == digest, name


async def test_scripts_never_write_html() -> None:
    for name, file in statics.read().files.items():
        if name.startswith("js/"):
            text = file.body.decode()
            for word in (
                "innerHTML",
                "outerHTML =",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
            ):
                assert word not in text, (name, word)


async def test_styles_and_scripts_stay_small_enough_to_read() -> None:
    for name, file in statics.read().files.items():
        if name.startswith(("js/", "css/")):
            assert file.body.count(b"\n") < 300, name
