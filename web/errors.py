"""How a refusal or a failure is told: one table of statuses; JSON for programs, pages for people."""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from events.errors import (
    DatabaseAway,
    FastFlowError,
    Invalid,
    NotFound,
    NotPossibleNow,
    Rejected,
    StorageFull,
    Unavailable,
    VersionConflict,
)
from web import frame
from web.site import site_of


class Malformed(Invalid):
    """This address or request cannot be read as written."""


class NotJson(Invalid):
    """The body has to be JSON (application/json)."""


STATUSES: dict[type[BaseException], int] = {
    NotFound: 404,
    Malformed: 400,
    NotJson: 415,
    Invalid: 422,
    NotPossibleNow: 409,
    Rejected: 400,
    VersionConflict: 409,
    StorageFull: 507,
    DatabaseAway: 503,
    Unavailable: 503,
    Exception: 500,
}
RETRY_AFTER_SECONDS = 2

TITLES = {
    400: "That cannot be read",
    403: "Refused",
    404: "There is nothing here",
    405: "Not a way to ask this",
    409: "Not possible right now",
    413: "Too large",
    414: "Too long",
    415: "Not JSON",
    422: "That makes no sense as written",
    500: "Something broke on our side",
    503: "A part is away",
    507: "The disk is full",
}
DETAILS = {
    404: "No page, pipeline or run has this address.",
    405: "This address exists, but not for this method.",
    413: "The request's body is larger than 1 MiB.",
}


class Problem(msgspec.Struct, frozen=True):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str


async def handle(request: Request, error: Exception) -> Response:
    """Starlette's door to `answer`."""
    return answer(request, error)


def answer(request: Request, error: Exception) -> Response:
    """The answer that an error is, in the form its asker reads."""
    problem = problem_of(request, error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if problem.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if reads_json(request):
        body = msgspec.json.encode(problem)
        return Response(body, problem.status, headers, media_type="application/problem+json")
    return site_of(request).pages.error(request, problem, frame.bare(request), headers)


def problem_of(request: Request, error: Exception) -> Problem:
    """What went wrong, worded for the one who asked."""
    status = status_of(error)
    if isinstance(error, HTTPException):
        standard = HTTPStatus(status).phrase
        own = error.detail if error.detail != standard else ""
        name, detail = standard, own or DETAILS.get(status, standard)
    elif isinstance(
        error, DatabaseAway | StorageFull
    ):  # whose own words are for the banner and the health page
        name, detail = type(error).__name__, type(error).__doc__ or ""
    elif isinstance(error, FastFlowError) and status != HTTPStatus.INTERNAL_SERVER_ERROR:
        name, detail = type(error).__name__, str(error)
    else:
        name, detail = "failed", "This is our fault, not yours; the server's own log has the request id."
    return Problem(
        type=f"urn:fastflow:problem:{_dashed(name)}",
        title=TITLES.get(status, "This did not work"),
        status=status,
        detail=detail,
        instance=request.scope["path"],
        request_id=request.state.request_id,
    )


def status_of(error: BaseException) -> int:
    """The HTTP status of the nearest branch the table has."""
    if isinstance(error, HTTPException):
        return error.status_code
    return next(STATUSES[branch] for branch in type(error).__mro__ if branch in STATUSES)


def reads_json(request: Request) -> bool:
    """Whether the asker is a program: it asks the API, or says it wants JSON and no HTML."""
    path = request.scope["path"]
    if path == "/api" or path.startswith("/api/") or path in ("/health", "/livez"):
        return True
    accept = request.headers.get("accept", "")
    return "json" in accept and "html" not in accept


def _dashed(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()).strip("-")
