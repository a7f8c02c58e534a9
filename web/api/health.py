"""Whether Fast-Flow is ready, part by part, and whether this process lives."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from web import parts
from web.api.answers import json
from web.site import site_of

RELEASE = version("fastflow")


class PartHealth(msgspec.Struct, frozen=True):
    """How one part is."""

    status: str
    since: dt.datetime | None
    detail: str


class Health(msgspec.Struct, frozen=True):
    """How everything is; `ok` means runs are accepted and start."""

    status: Literal["ok", "unavailable"]
    release: str
    parts: dict[str, PartHealth]


async def health(request: Request) -> Response:
    """200 when every part does its work, else 503; each part says since when."""
    known = await parts.all_of(site_of(request))
    ok = all(part.ok for part in known)
    told = {part.key: PartHealth(part.status, part.since, part.detail) for part in known}
    return json(Health("ok" if ok else "unavailable", RELEASE, told), 200 if ok else 503)


async def livez(_: Request) -> Response:
    """200 as long as this process answers at all."""
    return json({"status": "ok"})
