"""The runs: the list with its filters, one of them with its log, and the button that cancels it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from projections import audit, pipeline_list, run_list, run_search
from projections.run_detail import RunDetail
from web import drawing, frame, query, reading, sentences, timeline
from web.frame import Frame
from web.parts import Part
from web.run_filters import chosen, filters
from web.site import Site, site_of

RUNS_A_PAGE = 50
LINES_SHOWN, LINES_A_PAGE = 100, 500
"""At the run, and on the log's own page; with JavaScript the viewer takes over."""


async def runs(request: Request) -> Response:
    """The runs that fit the filters in the address, newest first."""
    wanted = chosen(request)
    site = site_of(request)
    framed, page, pipelines = await asyncio.gather(
        frame.opened(request),
        run_search.page(site.database, filters(wanted), cursor=wanted.cursor, limit=RUNS_A_PAGE),
        pipeline_list.all(site.database),
    )
    return site.pages.answer(
        request,
        "runs.html",
        framed,
        page=page,
        chosen=wanted,
        names=[pipeline.name for pipeline in pipelines],
        first=wanted.address(None),
        older=wanted.address(page.next),
    )


async def run(request: Request) -> Response:
    """One run: how it is, what happened, what it printed."""
    run_id = query.run_id(request)
    site, framed = site_of(request), await frame.opened(request)
    found = await reading.run(site, run_id)
    ahead = 0
    if found.status == "PENDING":
        ahead = await run_list.ahead(site.database, await run_list.one(site.database, run_id))
    return site.pages.answer(
        request,
        "run.html",
        framed,
        story=sentences.story(found, ahead, _missing(framed)),
        phases=drawing.phases(found, framed.now),
        environment_built=any(attempt.setup and attempt.setup.started_at for attempt in found.attempts),
        timeline=timeline.timeline(await audit.timeline(site.store, run_id)),
        **await _log(site, found, None, LINES_SHOWN),
        tall=False,
    )


async def log(request: Request) -> Response:
    """The log on a page of its own; without JavaScript, a page of lines at a time."""
    run_id = query.run_id(request)
    start = query.number(request, "from", least=1)
    site, framed = site_of(request), await frame.opened(request)
    found = await reading.run(site, run_id)
    return site.pages.answer(
        request, "run_log.html", framed, **await _log(site, found, start, LINES_A_PAGE), tall=True
    )


async def cancel(request: Request) -> Response:
    """Ask for the run to end, and lead back to it."""
    run_id = query.run_id(request)
    await site_of(request).asking.cancel(run_id, actor="page")
    return RedirectResponse(f"/runs/{run_id}", 303)


async def _log(site: Site, found: RunDetail, start: int | None, count: int) -> dict[str, object]:
    last = await reading.last_line(site, found)
    first = max(1, last - count + 1) if start is None else start
    return {
        "run": found,
        "over": found.status in reading.ENDED,
        "last_line": last,
        "lines": await reading.plain_lines(site, found.id, first, count),
        "lines_a_page": LINES_A_PAGE,
    }


def _missing(framed: Frame) -> Part | None:
    """The part without which no run starts, if one is missing."""
    return next((part for part in framed.broken if part.key in ("engine", "worker_image")), None)
