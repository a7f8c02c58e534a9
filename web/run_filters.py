"""Which runs an address asks for: the same words for pages and API."""

from __future__ import annotations

import dataclasses

from starlette.requests import Request

from projections.run_list import Status
from projections.run_search import STATUSES, Filters
from web import query, words


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """What the address asks of the list."""

    pipeline: str
    status: Status | None
    q: str
    cursor: int | None

    @property
    def any(self) -> bool:
        """Whether not every run is meant."""
        return bool(self.pipeline or self.status or self.q or self.cursor)

    def address(self, cursor: int | None) -> str:
        """The query string of another page with the same filters."""
        return words.query(q=self.q, pipeline=self.pipeline, status=self.status, cursor=cursor)


def chosen(request: Request) -> Chosen:
    """The filters of a request, for pages and API alike. Raises Malformed."""
    return Chosen(
        query.text(request, "pipeline"),
        query.choice(request, "status", STATUSES),
        query.text(request, "q"),
        query.number(request, "cursor", least=1),
    )


def filters(wanted: Chosen) -> Filters:
    """The same for the read model."""
    statuses = frozenset({wanted.status}) if wanted.status else frozenset()
    return Filters(pipeline=wanted.pipeline or None, statuses=statuses, q=wanted.q)
