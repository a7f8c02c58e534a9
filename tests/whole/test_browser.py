"""What a person does in the first five minutes, in a real browser on the real program."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from bench.program import Program
from tests.whole.conftest import ROOT

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MILLISECONDS = 30_000
PHONE = ViewportSize(width=360, height=740)
DESKTOP = ViewportSize(width=1280, height=900)

pytestmark = pytest.mark.browser


@pytest.fixture
async def examples(tmp_path: Path) -> AsyncIterator[Program]:
    running = Program(tmp_path / "data", ROOT / "examples")
    await running.start()
    try:
        await running.ready()
        yield running
    finally:
        await running.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        await launched.close()


class Person:
    """Somebody with a browser; whatever the browser complains about is remembered."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.complaints = list[str]()
        context.set_default_timeout(PATIENCE_MILLISECONDS)

    async def tab(self, path: str) -> Page:
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        await page.goto(self.url + path)
        return page


@pytest.fixture
async def person(browser: Browser, examples: Program) -> AsyncIterator[Person]:
    context = await browser.new_context(viewport=DESKTOP)
    somebody = Person(context, examples.url)
    yield somebody
    await context.close()
    assert somebody.complaints == []


async def shown_lines(page: Page) -> list[str]:
    return await page.locator("[data-log=rows] .line .line-text").all_inner_texts()


async def press_run(page: Page, pipeline: str) -> str:
    await page.locator(f"#pipeline-{pipeline}").get_by_role("button", name="Run").click()
    await page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    return page.url


async def test_run_watch_in_two_tabs_cancel_and_come_back(person: Person) -> None:
    first = await person.tab("/")
    address = await press_run(first, "slow_count")
    await expect(first.locator("#L3")).to_be_visible(timeout=PATIENCE_MILLISECONDS)

    second = await person.tab(address.removeprefix(person.url))
    await expect(second.locator("#L5")).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    await expect(first.locator("#L5")).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    assert (await shown_lines(first))[:5] == (await shown_lines(second))[:5]

    await first.get_by_role("button", name="Cancel").click()
    await expect(first.get_by_text("Cancelled").first).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    await expect(second.get_by_text("Cancelled").first).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    watched = await shown_lines(second)
    await first.close()
    await second.close()

    again = await person.tab(address.removeprefix(person.url))
    await expect(again.get_by_text("Cancelled").first).to_be_visible()
    assert (await shown_lines(again))[: len(watched)] == watched


async def test_the_state_changes_without_reloading(person: Person) -> None:
    page = await person.tab("/")
    await page.evaluate("window.sameDocument = true")
    other = await person.tab("/")
    await press_run(other, "broken_invoice")

    await expect(page.locator("#pipeline-broken_invoice").get_by_text("Failed", exact=True)).to_be_visible(
        timeout=PATIENCE_MILLISECONDS
    )
    assert await page.evaluate("window.sameDocument") is True
    await expect(other.get_by_text("exit code 1").first).to_be_visible(timeout=PATIENCE_MILLISECONDS)


async def test_a_long_log_is_searched_and_linked_by_line(person: Person) -> None:
    page = await person.tab("/")
    address = await press_run(page, "chatty")
    await expect(page.get_by_text("Succeeded").first).to_be_visible(timeout=60_000)

    linked = await person.tab(address.removeprefix(person.url) + "#L12345")

    await expect(linked.locator("#L12345")).to_be_in_viewport(timeout=PATIENCE_MILLISECONDS)
    assert await linked.locator("[data-log=rows] .line").count() < 3000
    await linked.locator("[data-log=words]").fill("19")
    await expect(linked.locator("[data-log=hits]")).not_to_be_empty(timeout=PATIENCE_MILLISECONDS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_fit_a_phone_and_a_desk_in_light_and_dark(
    browser: Browser, examples: Program, tmp_path: Path, scheme: str
) -> None:
    for size in (PHONE, DESKTOP):
        context = await browser.new_context(
            viewport=size,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        somebody = Person(context, examples.url)
        for path in ("/", "/pipelines", "/pipelines/sales_report", "/runs"):
            page = await somebody.tab(path)
            assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                path,
                size,
            )
            colour = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            brightness = sum(int(part) for part in re.findall(r"\d+", colour)[:3])
            assert (brightness < 200) is (scheme == "dark"), (path, colour)
            shot = tmp_path / f"{scheme}-{size['width']}.png"
            await page.screenshot(path=shot)
            assert shot.stat().st_size > 5000
        assert somebody.complaints == []
        await context.close()


async def test_everything_also_works_without_javascript(browser: Browser, examples: Program) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport=PHONE)
    page = await Person(context, examples.url).tab("/")
    await press_run(page, "slow_count")

    await page.get_by_role("button", name="Cancel").click()
    for _ in range(20):
        await page.reload()
        if await page.get_by_text("Cancelled").count():
            break

    await expect(page.get_by_text("Cancelled").first).to_be_visible()
    await context.close()
