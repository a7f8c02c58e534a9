"""What every endpoint is given: the doors to the rest of the program, opened once."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from starlette.requests import Request

from events.wake import Wake
from fastflow.asking import Asking
from fastflow.settings import Settings
from projections.audit import Log
from projections.run_log import LogStore
from projections.run_log_tail import Tails
from sql.database import Database
from web.live import Live
from web.render import Pages


class Store(LogStore, Log, Protocol):
    """What the web reads of the event log itself; it never appends."""


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """The program, as seen from the web."""

    database: Database
    wake: Wake
    store: Store
    tails: Tails
    asking: Asking
    settings: Settings
    live: Live
    pages: Pages


def site_of(request: Request) -> Site:
    """The site that a request was made to."""
    site: Site = request.app.state.site
    return site
