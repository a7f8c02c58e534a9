"""Turns what a page shows into HTML: a block, the element it draws and htmx's target share one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from web import source, statics, words

if TYPE_CHECKING:
    from web.errors import Problem
    from web.frame import Frame

FOLDER = Path(__file__).parent / "templates"
BASE = "base.html"


class Pages:
    """Every template, compiled once; undefined names raise, and everything is escaped."""

    def __init__(self) -> None:
        self.statics = statics.read()
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self.environment.filters.update(words.FILTERS)
        self.environment.globals.update(
            static=self.statics.address, words=words, highlighted=source.highlighted
        )
        # as a global, because a block rendered alone does not run its template's imports
        self.environment.globals["ui"] = self.environment.get_template("_ui.html").module
        for name in self.environment.list_templates(extensions=["html"]):
            self.environment.get_template(name)

    def answer(self, request: Request, name: str, frame: Frame, **view: Any) -> HTMLResponse:
        """The page, or the block of it that htmx asks for."""
        html = self._rendered(request, name, {"frame": frame, **view})
        return HTMLResponse(html, headers={"Vary": "HX-Target"})

    def error(
        self, request: Request, problem: Problem, frame: Frame, headers: Mapping[str, str]
    ) -> HTMLResponse:
        """The page of an error; where a part of a page was asked for, that part stays as it is."""
        template = self.environment.get_template("error.html")
        target = asked_block(request)
        kept = target is not None and self._block(template, target) is None
        view = {"frame": frame, "problem": problem, "back": _where_the_form_was(request)}
        html = "" if kept else self._rendered(request, "error.html", view)
        reswap = {"HX-Reswap": "none"} if kept else {}
        return HTMLResponse(html, problem.status, {"Vary": "HX-Target", **headers, **reswap})

    def _rendered(self, request: Request, name: str, view: Mapping[str, Any]) -> str:
        template = self.environment.get_template(name)
        found = self._block(template, asked_block(request) or "")
        if found is None:
            return template.render(view)
        owner, block = found
        return self.environment.concat(_drawn(owner, block, view))

    def _block(self, template: jinja2.Template, name: str) -> tuple[jinja2.Template, Any] | None:
        """A block of the page itself, or of the frame around it."""
        for owner in (template, self.environment.get_template(BASE)):
            if name in owner.blocks:
                return owner, owner.blocks[name]
        return None


def _drawn(owner: jinja2.Template, block: Any, view: Mapping[str, Any]) -> Iterator[str]:
    parts: Iterator[str] = block(owner.new_context(dict(view)))
    return parts


def _where_the_form_was(request: Request) -> str:
    """The page whose form was refused; empty for what was only read."""
    return "" if request.method in ("GET", "HEAD") else request.url.path.rpartition("/")[0]


def asked_block(request: Request) -> str | None:
    """The name in HX-Target, which htmx 4 writes as `tag#id`; None when a whole page is asked for."""
    target = request.headers.get("hx-target", "")
    _, hash_, name = target.partition("#")
    return unquote(name) if hash_ else None
