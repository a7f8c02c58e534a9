"""The pages as a browser without scripts sees them, and the parts of them that htmx asks for."""

from __future__ import annotations

import html
import re

from events import pipeline as pipelines
from events import run as runs
from events.pipeline import PipelineBroken, PipelineGone, Problem
from events.run import (
    AttemptBegun,
    CancelRequested,
    LogGapDeclared,
    Progressed,
    RunFailed,
    SetupFinished,
    SetupStarted,
    StepEntered,
)
from events.system import ENGINE, EngineLost
from tests.web.conftest import SNAPSHOT, House

SAME = {"sec-fetch-site": "same-origin"}


def words(text: str) -> str:
    """The page's words, tags left out."""
    inside = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", inside)))


async def page(house: House, path: str, **headers: str) -> str:
    answer = await house.client.get(path, headers={"accept": "text/html", **headers})
    assert answer.status_code == 200, path
    assert answer.headers["vary"] == "HX-Target"
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def test_an_empty_house_says_what_to_do_next(house: House) -> None:
    assert "No pipelines yet" in await page(house, "/")
    assert "No pipelines yet" in await page(house, "/pipelines")
    assert "fastflow run NAME --follow" in words(await page(house, "/runs"))


async def test_the_dashboard_shows_pipelines_their_last_runs_and_what_runs(house: House) -> None:
    await house.engine()
    await house.pipeline("sales", description="Counts what was sold.")
    done = await house.done()
    running = await house.started()
    await house.tell(runs.stream(running), Progressed(attempt=1, done=3, total=10, text="rows"))
    text = await page(house, "/")
    assert "Counts what was sold." in text
    assert f'href="/runs/{done}"' in text
    assert "mark-success" in text
    assert 'action="/pipelines/sales/run"' in text
    assert '<progress value="3.0" max="10.0"' in text
    assert "3 of 10 rows" in words(text)


async def test_pressing_run_leads_to_the_run(house: House) -> None:
    await house.pipeline()
    answer = await house.client.post("/pipelines/sales/run", headers=SAME)
    assert answer.status_code == 303
    text = await page(house, answer.headers["location"])
    assert "It is next" in text
    (requested,) = await house.store.read_stream(runs.stream(answer.headers["location"].split("/")[-1]))
    assert requested.meta.actor == "page"


async def test_pressing_cancel_leads_back_to_the_run(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    text = await page(house, f"/runs/{run}")
    assert f'action="/runs/{run}/cancel"' in text
    answer = await house.client.post(f"/runs/{run}/cancel", headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run}")
    recorded = await house.store.read_stream(runs.stream(run))
    assert recorded[-1].event == CancelRequested(by="page")


async def test_a_refused_press_is_a_page_that_says_why(house: House) -> None:
    await house.pipeline("off", enabled=False)
    answer = await house.client.post("/pipelines/off/run", headers={**SAME, "accept": "text/html"})
    assert answer.status_code == 409
    assert "disabled" in answer.text
    assert 'href="/pipelines/off"' in answer.text


async def test_a_run_tells_its_story(house: House) -> None:
    await house.pipeline()
    run = await house.requested(requirements=("pandas",), env={"REGION": "eu", "TOKEN": "hush"})
    stream = runs.stream(run)
    assert "It is next" in await page(house, f"/runs/{run}")
    await house.tell(stream, AttemptBegun(attempt=1, container="c"), SetupStarted(attempt=1))
    assert "Its dependencies are being installed" in await page(house, f"/runs/{run}")
    ready = SetupFinished(attempt=1, environment="e", cached=False, seconds=3.1, packages=11)
    await house.tell(stream, ready, StepEntered(attempt=1, name="load"))
    text = words(await page(house, f"/runs/{run}"))
    assert "11 packages, built in 3.1 s" in text
    assert "Step: load" in text
    assert "REGION, TOKEN" in text
    assert "hush" not in text
    failed = RunFailed(attempt=1, reason="exit_code", exit_code=3)
    await house.tell(stream, failed)
    over = words(await page(house, f"/runs/{run}"))
    assert "with exit code 3." in over
    assert "Run again" in over


async def test_a_failure_says_its_own_words(house: House) -> None:
    await house.pipeline()
    run = await house.requested()
    detail = "Because pandass was not found\n  we can conclude nothing"
    await house.tell(runs.stream(run), RunFailed(attempt=0, reason="dependencies_failed", detail=detail))
    text = await page(house, f"/runs/{run}")
    assert "Its dependencies could not be installed." in text
    assert detail in html.unescape(text)


async def test_a_log_is_readable_without_scripts(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    await house.printed(run, *(b"line %d" % n for n in range(1, 1001)))
    await house.printed(run, b"\x1b[31mred\x1b[0m\rover", stream="stderr")
    text = await page(house, f"/runs/{run}")
    assert text.count('class="line ') + text.count('class="line"') == 100
    assert 'id="L1001"' in text
    assert ">over<" in text
    assert "\x1b" not in text
    assert f'href="/runs/{run}/logs?from=402"' in text
    first = await page(house, f"/runs/{run}/logs?from=1")
    assert 'id="L1"' in first
    assert f'href="/runs/{run}/logs?from=501"' in first


async def test_a_declared_gap_is_told(house: House) -> None:
    await house.pipeline()
    run = await house.started()
    gap = LogGapDeclared(attempt=1, cause="size_cap", after_line=7, lines=12, bytes=2048)
    await house.tell(runs.stream(run), gap)
    text = await page(house, f"/runs/{run}")
    assert 'data-gap-after="7"' in text
    assert "12 lines or 2 KiB not kept: the log reached its size limit" in text


async def test_the_runs_are_listed_with_their_filters(house: House) -> None:
    await house.pipeline()
    done = await house.done()
    waiting = await house.requested()
    text = await page(house, "/runs")
    assert text.index(waiting) < text.index(done)
    filtered = await page(house, "/runs?status=SUCCESS&q=sal")
    assert done in filtered
    assert waiting not in filtered
    assert '<option value="SUCCESS" selected>' in filtered
    assert 'value="sal"' in filtered
    assert "No run fits" in await page(house, "/runs?status=FAILED")


async def test_older_runs_keep_the_filters(house: House) -> None:
    await house.pipeline()
    first = await house.requested()
    for _ in range(50):
        await house.requested()
    text = await page(house, "/runs?pipeline=sales")
    assert first not in text
    (older,) = re.findall(r'href="(/runs\?[^"]*)" rel="next"', html.unescape(text))
    assert older.startswith("/runs?pipeline=sales&cursor=")
    assert first in await page(house, older)


async def test_a_pipeline_shows_its_source_and_configuration(house: House) -> None:
    await house.pipeline("sales", requirements=("pandas==2.3",), timeout_seconds=90.0)
    text = await page(house, "/pipelines/sales")
    assert 'id="S5"' in text
    assert '<span class="k">import</span> csv' in text
    assert '<span class="c"># all of it</span>' in text
    assert "pandas==2.3" in text
    assert "1 min 30 s" in text
    assert SNAPSHOT[:12] in text
    assert "It has not run yet" in text


async def test_what_is_wrong_with_a_pipeline_is_shown_by_line(house: House) -> None:
    await house.pipeline("sales")
    problem = Problem(file="sales.py", line=7, message="invalid syntax")
    field = Problem(file="sales.json", field="timeout", message="has to be a number, not `x`")
    await house.tell(pipelines.stream("sales"), PipelineBroken(problems=(problem, field)))
    text = words(await page(house, "/pipelines/sales"))
    assert "sales.py:7 invalid syntax" in text
    assert "sales.json timeout has to be a number, not x" in text
    assert "the last good one stays in force" in text
    assert "newest version broken" in words(await page(house, "/"))
    assert "2 problems" in words(await page(house, "/pipelines"))


async def test_a_pipeline_that_is_gone_keeps_its_runs(house: House) -> None:
    await house.pipeline()
    run = await house.done()
    await house.tell(pipelines.stream("sales"), PipelineGone())
    text = await page(house, "/pipelines/sales")
    assert "Its files are gone" in text
    assert run in text
    assert 'action="/pipelines/sales/run"' not in text


async def test_banners_say_what_is_missing_and_since_when(house: House) -> None:
    await house.pipeline()
    run = await house.requested()
    await house.engine(digest=None)
    missing = await page(house, "/")
    assert "Worker image missing since" in words(missing)
    assert "fastflow setup" in missing
    await house.tell(ENGINE, EngineLost(detail="connection refused"))
    for path in ("/", "/runs", "/pipelines", f"/runs/{run}"):
        text = words(await page(house, path))
        assert "Container engine away since" in text
        assert "connection refused" in text
    assert "It waits for the container engine, which is away." in await page(house, f"/runs/{run}")
    await house.engine()
    assert 'class="banner ' not in await page(house, "/")


BLOCKS = {
    "/": ("overview", "banners", "system_parts"),
    "/pipelines": ("pipeline_rows", "banners"),
    "/pipelines/sales": ("pipeline_view", "pipeline_code", "system_parts"),
    "/runs": ("run_rows", "banners"),
    "/runs/{run}": ("run_view", "banners", "system_parts"),
    "/runs/{run}/logs": ("log_head", "banners"),
}


async def test_a_block_is_the_element_that_htmx_asks_for(house: House) -> None:
    await house.pipeline()
    run = await house.done("sales", b"one")
    for pattern, names in BLOCKS.items():
        path = pattern.replace("{run}", run)
        whole = await page(house, path)
        for name in names:
            assert whole.count(f'id="{name}"') == 1, (path, name)
            part = await page(house, path, **{"hx-request": "true", "hx-target": f"div#{name}"})
            (opening, *_) = re.findall(r"<[^>]+>", part)
            assert f'id="{name}"' in opening, (path, name)
            assert f'hx-get="{path}"' in opening
            assert "<html" not in part
            assert "<main" not in part


async def test_an_element_asks_again_for_itself_with_its_own_filters(house: House) -> None:
    await house.pipeline()
    await house.done()
    text = await page(house, "/runs?status=SUCCESS&q=sal")
    assert 'hx-get="/runs?status=SUCCESS&amp;q=sal"' in text


async def test_an_unknown_block_is_answered_with_the_page(house: House) -> None:
    for target in ("div#nope", "body", "div", "div#content%00", "x#" + "y" * 500):
        answer = await house.client.get("/", headers={"hx-request": "true", "hx-target": target})
        assert answer.status_code == 200
        assert "<html" in answer.text


async def test_light_or_dark_is_remembered(house: House) -> None:
    form = {"theme": "dark", "next": "/runs?q=x"}
    answer = await house.client.post("/theme", data=form, headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?q=x")
    assert 'data-theme="dark"' in await page(house, "/")
    await house.client.post("/theme", data={"theme": "system"}, headers=SAME)
    assert "data-theme" not in await page(house, "/")


async def test_choosing_a_theme_never_leads_elsewhere(house: House) -> None:
    for outward in (
        "//evil",
        "/\\evil",
        "https:evil",
        "javascript:x",
        "evil",
        "/\r\nSet-Cookie: a=b",
        "/\t/evil",
    ):
        answer = await house.client.post("/theme", data={"theme": "dark", "next": outward}, headers=SAME)
        assert answer.headers["location"] == "/", outward
    for form in ({"theme": "pink"}, {}, {str(n): "x" for n in range(20)}):
        assert (await house.client.post("/theme", data=form, headers=SAME)).status_code == 400


async def test_a_strange_cookie_is_no_theme(house: House) -> None:
    text = await page(house, "/", cookie='theme="><script>')
    assert "data-theme" not in text
