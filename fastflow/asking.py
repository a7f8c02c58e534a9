"""What pages, the API and the command line ask for: a run, and the end of one."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from uuid import UUID

import msgspec

from events import pipeline as pipelines
from events import run as runs
from events.base import Metadata
from events.errors import Invalid, NotPossibleNow
from events.pipeline import PipelineDefined, Problem
from events.run import RunRequested, Trigger
from events.store import EventStore
from fastflow import identity
from fastflow.commands import Commands
from fastflow.domain.pipeline import PIPELINE, PipelineState, UnknownPipeline
from fastflow.domain.run import CancelRun, KeyReused, RequestRun
from fastflow.domain.run_rules import RUN
from fastflow.pipelines.python_versions import image_python
from fastflow.settings import Settings

NAME_LENGTH_MAX = 200
KEY_LENGTH_MAX = 255
ENV_BYTES_MAX = 131_072
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """An accepted request for a run."""

    run: str
    position: int
    """Of the run's last event known: a page that waits for it shows the run."""
    created: bool
    """False: this idempotency key had led to this run before."""


class PipelineGoneAway(UnknownPipeline):
    """This pipeline's files are gone; its runs are kept."""


class PipelineDisabled(NotPossibleNow):
    """This pipeline is disabled."""


class PipelineNeverGood(NotPossibleNow):
    """This pipeline's files never were right."""


class Asking:
    """Accepts and refuses; a request accepted is an event in the log."""

    def __init__(self, commands: Commands, store: EventStore, settings: Settings) -> None:
        self.commands = commands
        self.store = store
        self.settings = settings

    async def run(
        self,
        pipeline: str,
        *,
        trigger: Trigger,
        actor: str,
        env: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Asked:
        """Accept a run of what is in force of a pipeline.

        Raises UnknownPipeline, PipelineDisabled, PipelineNeverGood, Invalid, KeyReused, Unavailable.
        """
        wanted = _checked_env(env or {})
        if idempotency_key is None:
            return await self._request(identity.new_run(), pipeline, trigger, actor, wanted)
        return await self._request_once(pipeline, trigger, actor, wanted, _checked_key(idempotency_key))

    async def cancel(self, run: str, *, actor: str) -> int:
        """Ask for a run to end; position to wait for. Raises UnknownRun, RunAlreadyOver, Invalid."""
        stream = runs.stream(identity.checked_run(run))
        return await self.commands.handle(RUN, stream, CancelRun(actor), meta=Metadata(actor=actor))

    async def _request_once(
        self, pipeline: str, trigger: Trigger, actor: str, env: dict[str, str], key: str
    ) -> Asked:
        run = identity.keyed_run(pipeline, key)
        event_id = identity.keyed_event(run, msgspec.json.encode(env, order="sorted").decode())
        history = await self.store.read_stream(runs.stream(run))
        if not history:
            return await self._request(run, pipeline, trigger, actor, env, event_id)
        if history[0].event_id != event_id:
            raise KeyReused
        return Asked(run, history[-1].position, created=False)

    async def _request(
        self,
        run: str,
        pipeline: str,
        trigger: Trigger,
        actor: str,
        env: dict[str, str],
        event_id: UUID | None = None,
    ) -> Asked:
        definition = self._in_force(pipeline, await self._pipeline(pipeline))
        timeout = definition.timeout_seconds
        request = RunRequested(
            pipeline=pipeline,
            snapshot=definition.snapshot,
            entry=definition.entry,
            requirements=definition.requirements,
            python_version=asked_python(definition.python_version, self.settings.worker_base_image),
            env={**definition.env, **env},
            cpu_limit=definition.cpu_limit,
            memory_limit_bytes=definition.memory_limit_bytes,
            timeout_seconds=self.settings.container_timeout if timeout is None else timeout,
            stop_grace_seconds=definition.stop_grace_seconds,
            network=definition.network,
            trigger=trigger,
        )
        position = await self.commands.handle(
            RUN,
            runs.stream(run),
            RequestRun(request),
            meta=Metadata(actor=actor),
            event_ids=None if event_id is None else (event_id,),
        )
        return Asked(run, position, created=True)

    async def _pipeline(self, name: str) -> PipelineState:
        if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
            raise UnknownPipeline
        return await self.commands.state(PIPELINE, pipelines.stream(name))

    def _in_force(self, name: str, state: PipelineState) -> PipelineDefined:
        if state == PipelineState():
            raise UnknownPipeline(f"There is no pipeline {name!r}{self._near(name)}")
        if state.gone:
            raise PipelineGoneAway(f"The files of pipeline {name!r} are gone; its runs are kept")
        if state.definition is None:
            raise PipelineNeverGood(f"Pipeline {name!r} cannot run: {_first(state.problems)}")
        if not state.definition.enabled:
            raise PipelineDisabled(f"Pipeline {name!r} is disabled in its configuration")
        return state.definition

    def _near(self, name: str) -> str:
        folder = self.settings.pipelines_dir
        found = (
            [p.stem for p in folder.iterdir() if not p.name.startswith((".", "_"))] if folder.is_dir() else []
        )
        near = difflib.get_close_matches(name, found, n=1)
        return f"; did you mean {near[0]!r}?" if near else ""


def asked_python(wanted: str | None, image: str) -> str | None:
    """The version to ask for beyond the image: its own needs no environment."""
    return None if wanted == image_python(image) else wanted


def _first(problems: tuple[Problem, ...]) -> str:
    problem = next((p for p in problems if p.severity == "error"), problems[0])
    line = "" if problem.line is None else f", line {problem.line}"
    return f"{problem.file}{line}: {problem.message}"


def _checked_key(key: str) -> str:
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise Invalid(f"An Idempotency-Key has 1 to {KEY_LENGTH_MAX} printable characters")
    return key


def _checked_env(env: Mapping[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise Invalid(f"{name[:80]!r} cannot be a variable's name")
        if name.startswith("FASTFLOW_"):
            raise Invalid(f"{name[:80]} is set by Fast-Flow itself")
        if "\0" in value or not _is_text(value):
            raise Invalid(f"The value of {name[:80]} is not text that a process can be given")
    if sum(len(name) + len(value.encode()) for name, value in env.items()) > ENV_BYTES_MAX:
        raise Invalid(f"The variables are larger than {ENV_BYTES_MAX} bytes")
    return dict(env)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
