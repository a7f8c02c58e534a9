"""What is around every page: where it is, how the program is, and from when on it is told of changes."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Literal

from starlette.requests import Request

from web import parts
from web.parts import Part
from web.site import site_of

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = ("system", "light", "dark")


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one answer."""

    path: str
    here: str
    """The address itself with its query, for coming back and for asking again."""
    theme: Theme
    release: str
    mark: str
    """Taken before anything was read."""
    now: dt.datetime
    parts: tuple[Part, ...]

    @property
    def broken(self) -> tuple[Part, ...]:
        """The parts a banner has to speak of."""
        return tuple(part for part in self.parts if part.status not in ("ok", "unknown"))


async def opened(request: Request) -> Frame:
    """The frame of a page; the first thing an endpoint asks for, so that the page misses nothing."""
    mark = str(site_of(request).live.mark())
    return _frame(request, mark, await parts.all_of(site_of(request)))


def bare(request: Request) -> Frame:
    """The frame of an error, for which nothing is read."""
    site = site_of(request)
    outage = site.database.outage
    known = parts.without_database(outage) if outage else ()
    return _frame(request, str(site.live.mark()), known)


def _frame(request: Request, mark: str, known: tuple[Part, ...]) -> Frame:
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope.get("raw_path", b"").decode("latin-1") or request.url.path
    theme = request.cookies.get("theme")
    return Frame(
        path=request.url.path,
        here=local(f"{path}?{query}" if query else path),
        theme=next((known for known in THEMES if known == theme), "system"),
        release=site_of(request).pages.statics.release,
        mark=mark,
        now=dt.datetime.now(dt.UTC),
        parts=known,
    )


def local(address: str) -> str:
    """An address on this server, whatever was given: another site's becomes the dashboard."""
    outward = address[:1] != "/" or address[1:2] in ("/", "\\")
    return "/" if outward or not address.isascii() or not address.isprintable() else address
