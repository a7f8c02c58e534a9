"""The one stream of an open page: names of what went stale, never HTML."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from events.errors import Unavailable
from web.errors import Malformed
from web.live import Live, Mark, Page
from web.query import text
from web.site import site_of
from web.sse import EventStream, Messages

TOPICS_MAX = 32
TOPIC_CHARACTERS_MAX = 300
PACE_SECONDS = 0.15
"""Between two messages: what goes stale meanwhile is told together."""


async def live(request: Request) -> Response:
    """Tell which of `topic` (repeated) went stale since `after`, and from now on.

    A page of another release is told to reload. The browser's own Last-Event-ID goes before `after`.
    """
    topics = request.query_params.getlist("topic")
    if not 0 < len(topics) <= TOPICS_MAX or not all(0 < len(t) <= TOPIC_CHARACTERS_MAX for t in topics):
        raise Malformed(f"A page names 1 to {TOPICS_MAX} topics.")
    site = site_of(request)
    try:
        after = Mark.parse(request.headers.get("last-event-id") or text(request, "after"))
    except ValueError as problem:
        raise Malformed(str(problem)) from problem
    if site.live.full:
        raise Unavailable("Too many pages are open at once; this one reloads by itself.")
    if text(request, "release") not in ("", site.pages.statics.release):
        return EventStream(_reload(), site.live.closing)
    return EventStream(_stale(site.live, topics, after), site.live.closing)


async def _reload() -> Messages:
    yield b"event: reload\ndata: {}\n\n"


async def _stale(live: Live, topics: list[str], after: Mark) -> Messages:
    with live.page(topics, after) as page:
        yield b": open\n\n"
        while True:
            await page.woken.wait()
            yield _frame(page, live.mark())
            await asyncio.sleep(PACE_SECONDS)


def _frame(page: Page, mark: Mark) -> bytes:
    names = msgspec.json.encode(page.take())
    return b"event: stale\nid: %s\ndata: %s\n\n" % (str(mark).encode(), names)
