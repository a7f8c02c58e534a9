"""The log viewer and the live part in a real browser, over logs that no page can hold."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from events import chunk
from events import run as runs
from events.run import LogGapDeclared, Progressed
from tests.web.conftest import House
from tests.web.test_payloads import PAYLOADS

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
ROWS_MAX = 2100
"""Two thousand lines, and a few rows that stand for others."""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGUMENTS)
        )
        yield launched
        await launched.close()


class Tab:
    """A page on the house, and what its browser complained about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))

    async def numbers(self) -> list[int]:
        """The lines that are in the page, in order; a row for others counts as its first and last."""
        found: list[int] = await self.page.evaluate(
            """[...document.querySelectorAll('[data-log=rows] > *')].flatMap(({ dataset: d }) =>
                d.number ? [Number(d.number)] : d.from ? range(Number(d.from), Number(d.to)) : [])"""
        )
        return found

    async def scroll(self, by: int) -> None:
        await self.page.evaluate("by => (document.querySelector('[data-log=scroller]').scrollTop += by)", by)


@pytest.fixture
async def tab(browser: Browser, house: House) -> AsyncIterator[Tab]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    await page.add_init_script("window.range = (a, b) => Array.from({ length: b - a + 1 }, (_, i) => a + i)")
    opened = Tab(page, house.address)
    yield opened
    await context.close()
    assert opened.complaints == []


async def long_log(house: House, count: int, step: int = 20_000) -> str:
    await house.pipeline()
    run = await house.started()
    for start in range(0, count, step):
        lines = range(start + 1, min(start + step, count) + 1)
        await house.wrote(run, [(chunk.OUT if n % 100 else chunk.ERR, b"line %d" % n) for n in lines])
    return run


async def test_a_live_log_is_followed_until_somebody_scrolls_up(house: House, tab: Tab) -> None:
    run = await long_log(house, 500)
    await tab.page.goto(f"{tab.address}/runs/{run}")
    await expect(tab.page.locator("#L500")).to_be_in_viewport()
    await house.printed(run, b"fresh")
    await expect(tab.page.locator("#L501")).to_be_in_viewport()

    await tab.scroll(-1500)
    await expect(tab.page.locator("[data-log=follow]")).to_have_attribute("aria-pressed", "false")
    await house.printed(run, b"one", b"two")
    newer = tab.page.locator("[data-log=newer]")
    await expect(newer).to_have_text("2 new lines ↓")
    await expect(tab.page.locator("#L501")).not_to_be_in_viewport()

    await newer.click()
    await expect(tab.page.locator("#L503")).to_be_in_viewport()
    await expect(tab.page.locator("[data-log=follow]")).to_have_attribute("aria-pressed", "true")
    await house.finished(run)
    await expect(tab.page.get_by_text("Succeeded").first).to_be_visible()
    await expect(tab.page.locator("[data-log=count]")).to_have_text("503 lines")


async def test_a_million_lines_are_read_through_a_small_window(house: House, tab: Tab) -> None:
    run = await long_log(house, 1_000_000, step=50_000)
    await house.finished(run)
    await tab.page.goto(f"{tab.address}/runs/{run}#L500000-L500003")
    await expect(tab.page.locator("#L500000")).to_be_in_viewport()
    assert await tab.page.locator(".line-marked").count() == 4
    for by in (*(8000,) * 15, *(-8000,) * 25):
        await tab.scroll(by)
        await tab.page.wait_for_timeout(30)
    numbers = await tab.numbers()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) <= ROWS_MAX

    await tab.page.locator("[data-log=newer]").click()
    await expect(tab.page.locator("#L1000000")).to_be_in_viewport()
    await tab.page.locator("[data-log=first]").click()
    await expect(tab.page.locator("#L1")).to_be_in_viewport()
    await tab.page.locator("[data-log=line]").fill("777777")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("#L777777")).to_be_in_viewport()
    assert tab.page.url.endswith("#L777777")
    await tab.page.reload()
    await expect(tab.page.locator("#L777777")).to_be_in_viewport()


async def test_a_link_to_lines_is_made_by_clicking(house: House, tab: Tab) -> None:
    run = await long_log(house, 1000)
    await house.finished(run)
    await tab.page.goto(f"{tab.address}/runs/{run}#L300")
    await tab.page.locator("#L303 .line-number").click()
    await tab.page.locator("#L307 .line-number").click(modifiers=["Shift"])
    assert tab.page.url.endswith(f"/runs/{run}#L303-L307")
    assert await tab.page.locator(".line-marked").count() == 5


async def test_a_flood_leaves_holes_that_fill_when_looked_at(house: House, tab: Tab) -> None:
    run = await long_log(house, 100)
    await tab.page.goto(f"{tab.address}/runs/{run}")
    await expect(tab.page.locator("#L100")).to_be_in_viewport()
    await expect(tab.page.locator("[data-log=count]")).to_have_text("100 lines, following")
    for _ in range(20):
        await house.printed(run, *(b"flood" for _ in range(1000)))
        await tab.page.wait_for_timeout(50)
    await house.finished(run)
    await expect(tab.page.locator("#L20100")).to_be_in_viewport()
    numbers = await tab.numbers()
    assert numbers == list(range(numbers[0], 20_101))
    assert await tab.page.locator("[data-log=rows] > *").count() <= ROWS_MAX
    hole = tab.page.locator(".line-hole").last
    before = await hole.text_content()
    await hole.scroll_into_view_if_needed()
    await expect(hole).not_to_have_text(str(before))
    again = await tab.numbers()
    assert again == list(range(again[0], 20_101))


async def test_the_whole_log_is_searched(house: House, tab: Tab) -> None:
    run = await long_log(house, 60_000)
    await house.finished(run)
    await tab.page.goto(f"{tab.address}/runs/{run}#L100")
    await tab.page.locator("[data-log=words]").fill("LINE 5432")
    hits = tab.page.locator("[data-log=hits]")
    await expect(hits).to_have_text("1 of 11")
    await expect(tab.page.locator("#L5432")).to_be_in_viewport()
    await tab.page.locator("[data-log=next]").click()
    await expect(hits).to_have_text("2 of 11")
    await expect(tab.page.locator("#L54320")).to_be_in_viewport()
    assert await tab.page.evaluate("CSS.highlights.get('log-words').size") == 10
    await tab.page.locator("[data-log=words]").fill("nowhere")
    await expect(hits).to_have_text("not found")


async def test_one_stream_is_chosen(house: House, tab: Tab) -> None:
    run = await long_log(house, 30_000)
    await tab.page.goto(f"{tab.address}/runs/{run}")
    await tab.page.locator("[data-log=stream]").select_option("stderr")
    await expect(tab.page.locator("#L30000")).to_be_in_viewport()
    numbers = await tab.numbers()
    assert numbers == list(range(100, 30_001, 100))[-len(numbers) :]
    await house.wrote(run, [(chunk.OUT, b"out"), (chunk.ERR, b"err")])
    await expect(tab.page.locator("#L30002")).to_be_in_viewport()
    assert await tab.page.locator("#L30001").count() == 0


async def test_hostile_lines_stay_text_and_colours_become_classes(house: House, tab: Tab) -> None:
    await house.pipeline()
    run = await house.started()
    texts = [payload.encode().replace(b"\n", b"") for payload in PAYLOADS]
    await house.printed(run, *texts)
    await house.printed(run, b"\x1b[1;31mred\x1b[0m plain", b" 10%\r 90%\r100%", b"\x1b]52;c;eA==\x07clip")
    await tab.page.goto(f"{tab.address}/runs/{run}")
    last = len(texts) + 3
    await expect(tab.page.locator(f"#L{last}")).to_be_in_viewport()
    inside = "[...document.querySelectorAll('.line-text *')].map((e) => e.tagName)"
    assert set(await tab.page.evaluate(inside)) <= {"SPAN", "BUTTON"}
    shown = await tab.page.locator("[data-log=rows] .line-text").all_text_contents()
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7 * 7 }}" in shown
    assert shown[-3:] == ["red plain", "100%", "clip"]
    assert await tab.page.locator(f"#L{last - 2} .ansi-f1.ansi-bold").text_content() == "red"


async def test_a_gap_is_a_row_of_its_own(house: House, tab: Tab) -> None:
    run = await long_log(house, 20)
    await tab.page.goto(f"{tab.address}/runs/{run}")
    await expect(tab.page.locator("#L20")).to_be_in_viewport()
    gap = LogGapDeclared(attempt=1, cause="engine_restarted", after_line=7, lines=3)
    await house.tell(runs.stream(run), gap)
    row = tab.page.locator("#L7 + .line-gap")
    await expect(row).to_have_text("3 lines not kept: the container engine restarted")


async def test_the_page_changes_without_reloading_and_keeps_what_is_open(house: House, tab: Tab) -> None:
    run = await long_log(house, 5)
    await tab.page.goto(f"{tab.address}/runs/{run}")
    await expect(tab.page.locator("[data-live-state]")).to_have_text("Live")
    await tab.page.evaluate("window.sameDocument = true")
    await tab.page.get_by_text("Code, limits, variables").click()
    for done in (1, 2, 3):
        await house.tell(runs.stream(run), Progressed(attempt=1, done=done, total=3, text="rows"))
    await expect(tab.page.get_by_text("3 of 3")).to_be_visible()
    await expect(tab.page.get_by_text("Memory limit")).to_be_visible()
    await house.finished(run)
    await expect(tab.page.get_by_text("Run again")).to_be_visible()
    assert await tab.page.evaluate("window.sameDocument") is True


async def test_a_tab_that_was_hidden_goes_on_where_it_was(house: House, tab: Tab) -> None:
    run = await long_log(house, 50)
    await tab.page.goto(f"{tab.address}/runs/{run}")
    await expect(tab.page.locator("#L50")).to_be_in_viewport()
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    await tab.page.evaluate(hide, True)
    await house.printed(run, *(b"unseen" for _ in range(30)))
    await house.tell(runs.stream(run), Progressed(attempt=1, done=2, total=3, text="rows"))
    assert await tab.page.locator("#L51").count() == 0
    await tab.page.evaluate(hide, False)
    await expect(tab.page.locator("#L80")).to_be_in_viewport()
    await expect(tab.page.get_by_text("2 of 3")).to_be_visible()
    assert await tab.numbers() == list(range(1, 81))
