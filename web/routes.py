"""Every address there is, once: method, pattern, endpoint, who may ask it, and what it is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web import stale_stream
from web.api import events as api_events
from web.api import health, logs
from web.api import pipelines as api_pipelines
from web.api import runs as api_runs
from web.pages import dashboard, files, pipelines, runs, theme

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Role: TypeAlias = Literal["anyone", "viewer", "operator", "admin"]


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """One thing that can be asked."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    pattern: str
    endpoint: Endpoint
    role: Role
    """Who may ask: everybody until there is a login, then at least this role."""
    summary: str


TABLE: tuple[Address, ...] = (
    Address("GET", "/", dashboard.dashboard, "viewer", "The dashboard"),
    Address("GET", "/pipelines", pipelines.pipelines, "viewer", "Every pipeline"),
    Address("GET", "/pipelines/{name}", pipelines.pipeline, "viewer", "One pipeline"),
    Address("POST", "/pipelines/{name}/run", pipelines.run, "operator", "Run a pipeline, from a page"),
    Address("GET", "/runs", runs.runs, "viewer", "The runs, with filters"),
    Address("GET", "/runs/{id}", runs.run, "viewer", "One run"),
    Address("GET", "/runs/{id}/logs", runs.log, "viewer", "The log of a run"),
    Address("POST", "/runs/{id}/cancel", runs.cancel, "operator", "Cancel a run, from a page"),
    Address("POST", "/theme", theme.theme, "anyone", "Choose light or dark"),
    Address("GET", "/live", stale_stream.live, "viewer", "What went stale on a page"),
    Address("GET", "/static/{release}/{name:path}", files.static, "anyone", "A file of the browser side"),
    Address("GET", "/favicon.ico", files.favicon, "anyone", "The icon"),
    Address("GET", "/health", health.health, "anyone", "Whether everything is ready, part by part"),
    Address("GET", "/livez", health.livez, "anyone", "Whether this process answers"),
    Address("GET", "/api/pipelines", api_pipelines.pipelines, "viewer", "Every pipeline"),
    Address("GET", "/api/pipelines/{name}", api_pipelines.pipeline, "viewer", "One pipeline"),
    Address("POST", "/api/pipelines/{name}/run", api_pipelines.run, "operator", "Run a pipeline"),
    Address("GET", "/api/runs", api_runs.runs, "viewer", "The runs, newest first"),
    Address("GET", "/api/runs/{id}", api_runs.run, "viewer", "One run; `?wait=30` waits for its end"),
    Address("POST", "/api/runs/{id}/cancel", api_runs.cancel, "operator", "Cancel a run"),
    Address("GET", "/api/runs/{id}/logs", logs.logs, "viewer", "The log as the script wrote it"),
    Address("GET", "/api/runs/{id}/logs/stream", logs.stream, "viewer", "The log, live"),
    Address("GET", "/api/events", api_events.events, "viewer", "Events of the log, for audit"),
)


def routes() -> list[Route]:
    """The table as Starlette wants it: one route a pattern, so that 405 names every method there is."""
    by_pattern: dict[str, dict[str, Address]] = {}
    for address in TABLE:
        by_pattern.setdefault(address.pattern, {})[address.method] = address
    return [Route(pattern, _by_method(known), methods=list(known)) for pattern, known in by_pattern.items()]


def _by_method(known: dict[str, Address]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await known[method].endpoint(request)

    return endpoint
