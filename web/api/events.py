"""The log itself for programs: every event as it is stored, from a position on."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from events.base import RawRecorded, Stream
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
    return json(msgspec.structs.replace(page, events=tuple(without_values(event) for event in page.events)))


def without_values(event: RawRecorded) -> RawRecorded:
    """The event with the names of its variables only: a value may be a secret."""
    if not isinstance(env := event.data.get("env"), dict):
        return event
    return msgspec.structs.replace(event, data={**event.data, "env": dict.fromkeys(env, "***")})


def _stream(request: Request) -> Stream | None:
    name = query.text(request, "stream")
    if not name:
        return None
    try:
        return Stream.parse(name)
    except ValueError as problem:
        raise Malformed(f"{problem}.") from problem
