"""The files of the browser side, by exact name."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from web.site import site_of

FOR_EVER = "public, max-age=31536000, immutable"


async def static(request: Request) -> Response:
    """A file; under the present release's address a browser may keep it for ever."""
    return _file(request, request.path_params["name"], request.path_params["release"])


async def favicon(request: Request) -> Response:
    """The icon, for those who ask for it by its old name."""
    return _file(request, "icon.svg", "")


def _file(request: Request, name: str, release: str) -> Response:
    statics = site_of(request).pages.statics
    file = statics.files.get(name)
    if file is None:
        raise HTTPException(404)
    kept = FOR_EVER if release == statics.release else "no-cache"
    return Response(file.body, media_type=file.type, headers={"Cache-Control": kept})
