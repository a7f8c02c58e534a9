"""Pipelines for programs: the list, one of them, and running it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from events.errors import Invalid
from projections import pipeline_list
from web.api.answers import json, pipeline_answer, pipeline_item
from web.errors import Malformed, NotJson
from web.site import site_of


class RunBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be said when asking for a run."""

    env: dict[str, str] = {}


class RunAccepted(msgspec.Struct, frozen=True):
    """The answer to an accepted run."""

    id: str
    pipeline: str
    status: str
    position: int
    """Of the run's last event known."""
    created: bool
    """False: this Idempotency-Key had led to this run before."""


async def pipelines(request: Request) -> Response:
    """Every pipeline whose files are there."""
    found = await pipeline_list.all(site_of(request).database)
    return json({"pipelines": [pipeline_item(pipeline) for pipeline in found]})


async def pipeline(request: Request) -> Response:
    """One pipeline."""
    found = await pipeline_list.get(site_of(request).database, request.path_params["name"])
    return json(pipeline_answer(found))


async def run(request: Request) -> Response:
    """Accept a run: 202, its address, its id. The same Idempotency-Key again is the same run."""
    name = request.path_params["name"]
    body = await _body(request)
    from_cli = request.headers.get("x-fastflow-client") == "cli"
    asked = await site_of(request).asking.run(
        name,
        trigger="cli" if from_cli else "api",
        actor="cli" if from_cli else "api",
        env=body.env,
        idempotency_key=request.headers.get("idempotency-key"),
    )
    accepted = RunAccepted(asked.run, name, "PENDING", asked.position, asked.created)
    return json(accepted, 202, {"Location": f"/api/runs/{asked.run}"})


async def _body(request: Request) -> RunBody:
    content = await request.body()
    if not content.strip():
        return RunBody()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise NotJson
    try:
        return msgspec.json.decode(content, type=RunBody)
    except msgspec.ValidationError as problem:
        raise Invalid(f"The body is not as expected: {problem}.") from problem
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Malformed(f"The body is not JSON: {problem}.") from problem
