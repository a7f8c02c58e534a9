"""The log itself for programs: every event as it is stored, from a position on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from events.base import Stream
from projections import audit
from web import query
from web.api.answers import json
from web.errors import Malformed
from web.site import site_of

EVENTS_A_PAGE = 100


async def events(request: Request) -> Response:
    """Events after `after`, oldest first, of one `stream` or `type` if given; `next` goes on after them."""
    page = await audit.events(
        site_of(request).store,
        query.number(request, "after") or 0,
        stream=_stream(request),
        type=query.text(request, "type") or None,
        limit=query.number(request, "limit", least=1, most=audit.EVENTS_MAX) or EVENTS_A_PAGE,
    )
    return json(page)


def _stream(request: Request) -> Stream | None:
    name = query.text(request, "stream")
    if not name:
        return None
    try:
        return Stream.parse(name)
    except ValueError as problem:
        raise Malformed(f"{problem}.") from problem
