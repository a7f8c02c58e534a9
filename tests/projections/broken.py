"""Releases of read models that are not quite these."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from events.base import Recorded
from events.run import RunRequested, RunSucceeded
from projections.following import AnyProjector
from projections.projector import Handler, Projector


def copy(projector: AnyProjector, version: int) -> AnyProjector:
    """The same read model, to be changed."""
    other: AnyProjector = Projector(
        projector.name,
        version=version,
        row=projector.row,
        key=projector.key,
        topics=projector.topics,
        kept_as=projector.kept_as,
        rows_held_max=projector.rows_held_max,
    )
    other.handlers.update(projector.handlers)
    return other


def broken(projector: AnyProjector) -> AnyProjector:
    """A release that stumbles over the first run that succeeds."""

    def stumble(_: Recorded[RunSucceeded], __: Any) -> Any:
        raise ZeroDivisionError

    other = copy(projector, projector.version)
    other.handlers[RunSucceeded] = Handler(stumble, begins=True)
    return other


def next_release(projector: AnyProjector) -> AnyProjector:
    """A release that shows actors in capitals."""
    other = copy(projector, projector.version + 1)
    before = projector.handlers.get(RunRequested)
    if before is None or "actor" not in projector.row.__struct_fields__:
        return other
    project = before.project

    def shout(recorded: Recorded[RunRequested], row: Any) -> Any:
        projected = project(recorded, row)
        return replace(projected, actor=projected.actor.upper())

    other.handlers[RunRequested] = Handler(shout, begins=True)
    return other


DIE_AT_COMMIT = """
    create sequence public.commits;
    create function public.die_at_commit() returns trigger language plpgsql as $$
    begin
        if nextval('public.commits') <= 3 then
            perform pg_terminate_backend(pg_backend_pid());
        end if;
        return null;
    end $$;
    create constraint trigger die_at_commit after insert or update on read.activity
        deferrable initially deferred for each row execute function public.die_at_commit();
"""
