"""What pages and API both read of one run."""

from __future__ import annotations

import dataclasses

from events.errors import NotFound
from projections import run_detail, run_log, waiting
from projections.run_detail import RunDetail
from web import log_lines
from web.site import Site

ENDED = ("SUCCESS", "FAILED", "CANCELLED")
CATCH_UP_SECONDS_MAX = 2.0
RUN_READ_MODELS = ("run_list", "run_detail")


@dataclasses.dataclass(frozen=True, slots=True)
class PlainLine:
    """A line without colours."""

    number: int
    stream: str
    words: str


async def run(site: Site, run_id: str) -> RunDetail:
    """One run, also one accepted a moment ago: then the read models are waited for. Raises NotFound."""
    head = site.wake.control
    try:
        return await run_detail.one(site.database, run_id)
    except NotFound:
        await waiting.reached(site.database, site.wake, head, CATCH_UP_SECONDS_MAX, RUN_READ_MODELS)
        return await run_detail.one(site.database, run_id)


async def ended(site: Site, run_id: str) -> RunDetail:
    """A run whose end is in the log, as soon as the read models know of it."""
    await waiting.reached(site.database, site.wake, site.wake.control, CATCH_UP_SECONDS_MAX, RUN_READ_MODELS)
    return await run(site, run_id)


async def last_line(site: Site, found: RunDetail) -> int:
    """The number of the log's last line, also while the script prints."""
    return await site.store.last_line(found.id)


async def plain_lines(site: Site, run_id: str, first: int, count: int) -> list[PlainLine]:
    """Lines for a page without JavaScript."""
    page = await run_log.lines(site.store, run_id, first, count)
    return [PlainLine(line.number, line.stream, log_lines.plain(line)) for line in page.lines]
