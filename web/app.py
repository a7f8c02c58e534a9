"""The web application: every address, behind one guard."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from events.errors import FastFlowError
from events.wake import Wake
from fastflow.asking import Asking
from fastflow.settings import Settings
from projections.run_log_tail import Tails
from sql.database import Database
from web import errors
from web.guard import Guard
from web.live import Live
from web.render import Pages
from web.routes import routes
from web.site import Site, Store


def create_app(
    *, database: Database, wake: Wake, store: Store, asking: Asking, settings: Settings, live: Live
) -> Starlette:
    """The application. Its owner runs `live.watch()` beside it, and says `live.close()` before its end."""
    app = Starlette(
        routes=routes(),
        middleware=[Middleware(Guard, host=settings.host)],
        exception_handlers={HTTPException: errors.handle, FastFlowError: errors.handle},
    )
    app.router.redirect_slashes = False
    app.state.site = Site(
        database=database,
        wake=wake,
        store=store,
        tails=Tails(store, wake),
        asking=asking,
        settings=settings,
        live=live,
        pages=Pages(),
    )
    return app
