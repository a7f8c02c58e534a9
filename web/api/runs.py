"""Runs for programs: the list, one of them, waiting for its end, and cancelling it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from projections import run_search
from projections.run_detail import RunDetail
from web import query, reading
from web.api.answers import json, run_answer, run_item
from web.run_filters import chosen, filters
from web.site import Site, site_of

RUNS_A_PAGE = 50
WAIT_SECONDS_MAX = 60
RECHECK_SECONDS = 5.0
"""Between looks while waiting, should a telling be lost."""


async def runs(request: Request) -> Response:
    """The runs that fit, newest first; `next` is the cursor of the page after."""
    wanted = chosen(request)
    limit = query.number(request, "limit", least=1, most=run_search.ROWS_MAX) or RUNS_A_PAGE
    page = await run_search.page(
        site_of(request).database, filters(wanted), cursor=wanted.cursor, limit=limit
    )
    following = None if page.next is None else str(page.next)
    headers = {"Link": f'</api/runs{wanted.address(page.next)}>; rel="next"'} if following else None
    return json({"runs": [run_item(row) for row in page.rows], "next": following}, 200, headers)


async def run(request: Request) -> Response:
    """One run; with `?wait=30`, as soon as it is over or after that many seconds."""
    run_id = query.run_id(request)
    seconds = query.number(request, "wait", most=WAIT_SECONDS_MAX) or 0
    site = site_of(request)
    found = await _over(site, run_id, seconds) if seconds else await reading.run(site, run_id)
    return json(run_answer(found, await reading.last_line(site, found)))


async def cancel(request: Request) -> Response:
    """Ask for the run to end; it is over when its container is gone."""
    run_id = query.run_id(request)
    from_cli = request.headers.get("x-fastflow-client") == "cli"
    position = await site_of(request).asking.cancel(run_id, actor="cli" if from_cli else "api")
    return json({"id": run_id, "position": position}, 202, {"Location": f"/api/runs/{run_id}"})


async def _over(site: Site, run_id: str, seconds: int) -> RunDetail:
    """The run when it is over, or as it is when the time is; a shutdown ends the wait."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    with site.live.page((f"run-{run_id}",), site.live.mark()) as page:
        while True:
            page.take()
            found = await reading.run(site, run_id)
            left = deadline - loop.time()
            if found.status in reading.ENDED or left <= 0 or site.live.closing.is_set():
                return found
            await _told(page.woken, site.live.closing, min(left, RECHECK_SECONDS))


async def _told(woken: asyncio.Event, closing: asyncio.Event, seconds: float) -> None:
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(woken.wait()), tasks.create_task(closing.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
