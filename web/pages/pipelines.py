"""The pipelines: the list, one of them, and the button that runs it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from projections import pipeline_list, run_list, run_search
from projections.pipeline_list import Pipeline
from projections.run_search import Filters
from web import drawing, frame
from web.site import site_of

RUNS_SHOWN = 15


async def pipelines(request: Request) -> Response:
    """Every pipeline."""
    site, framed = site_of(request), await frame.opened(request)
    found = await pipeline_list.all(site.database)
    names = [pipeline.name for pipeline in found]
    latest = await run_list.latest_per_pipeline(site.database, names, drawing.STRIP_RUNS)
    return site.pages.answer(
        request,
        "pipelines.html",
        framed,
        pipelines=found,
        strips={name: drawing.strip(rows) for name, rows in latest.items()},
        folder=site.settings.pipelines_dir,
    )


async def pipeline(request: Request) -> Response:
    """One pipeline: its runs, its configuration, its source."""
    site, framed = site_of(request), await frame.opened(request)
    found = await pipeline_list.get(site.database, request.path_params["name"])
    page = await run_search.page(site.database, Filters(pipeline=found.name), limit=RUNS_SHOWN)
    return site.pages.answer(
        request,
        "pipeline.html",
        framed,
        pipeline=found,
        can_run=found.enabled and not found.gone and found.snapshot is not None,
        rows=page.rows,
        wrong_lines=_wrong_lines(found),
    )


async def run(request: Request) -> Response:
    """Run the pipeline, and lead to the run."""
    asked = await site_of(request).asking.run(request.path_params["name"], trigger="manual", actor="page")
    return RedirectResponse(f"/runs/{asked.run}", 303)


def _wrong_lines(found: Pipeline) -> set[int]:
    """Lines of the shown source that a warning is about; problems are about a newer source."""
    entry = found.entry or ""
    return {w.line for w in found.warnings if w.line is not None and w.file.endswith(entry)}
