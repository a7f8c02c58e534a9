"""The dashboard: how the pipelines do, and what runs now."""

from __future__ import annotations

import asyncio
import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from projections import activity, pipeline_list, run_list
from web import drawing, frame
from web.site import site_of

ACTIVE_SHOWN_MAX = 8
DAY = dt.timedelta(days=1)


async def dashboard(request: Request) -> Response:
    """Pipelines with their last runs, counts, and what is under way."""
    site = site_of(request)
    framed, pipelines, active, counts, day = await asyncio.gather(
        frame.opened(request),
        pipeline_list.all(site.database),
        run_list.active(site.database),
        run_list.counts(site.database),
        activity.since(site.database, dt.datetime.now(dt.UTC) - DAY),
    )
    names = [pipeline.name for pipeline in pipelines]
    latest = await run_list.latest_per_pipeline(site.database, names, drawing.STRIP_RUNS)
    running_first = sorted(active, key=lambda row: row.status != "RUNNING")
    return site.pages.answer(
        request,
        "dashboard.html",
        framed,
        pipelines=pipelines,
        latest=latest,
        strips={name: drawing.strip(rows) for name, rows in latest.items()},
        active=running_first[:ACTIVE_SHOWN_MAX],
        more_active=max(0, len(active) - ACTIVE_SHOWN_MAX),
        counts=counts,
        day=day,
        folder=site.settings.pipelines_dir,
    )
