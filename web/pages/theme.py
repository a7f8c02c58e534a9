"""Light or dark: a choice kept in a cookie, so that the server renders it and nothing flashes."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web.errors import Malformed
from web.frame import THEMES, local

FIELDS_MAX = 10
YEAR_SECONDS = 365 * 24 * 3600


async def theme(request: Request) -> Response:
    """Keep the choice, and lead back to where it was made."""
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=FIELDS_MAX)
    except ValueError as problem:
        raise Malformed("This form cannot be read.") from problem
    chosen = fields.get("theme", [""])[0]
    if chosen not in THEMES:
        raise Malformed(f"A theme is one of: {', '.join(THEMES)}.")
    answer = RedirectResponse(local(fields.get("next", ["/"])[0]), 303)
    answer.set_cookie("theme", chosen, max_age=YEAR_SECONDS, samesite="lax")
    return answer
