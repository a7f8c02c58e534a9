"""How the contract suite runs a job and reads what it printed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastflow.engine import (
    STDOUT,
    Engine,
    Job,
    Observed,
    Piece,
)

DEADLINE_SECONDS = 60


@contextlib.asynccontextmanager
async def running(engine: Engine, made: Job) -> AsyncIterator[Job]:
    """The job started, and gone afterwards."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        await engine.create(made)
        await engine.start(made.name)
        try:
            yield made
        finally:
            await engine.remove(made.name)


async def finished(engine: Engine, made: Job) -> tuple[Observed, list[Piece]]:
    """How the job ended and all it printed."""
    async with running(engine, made):
        ended = await engine.wait(made.name)
        return ended, await printed(engine, made.name)


async def printed(engine: Engine, name: str, since: int = 0, *, follow: bool = False) -> list[Piece]:
    return [piece async for batch in engine.logs(name, since, follow=follow) for piece in batch]


async def until(engine: Engine, made: Job, count: int) -> list[Piece]:
    """The first pieces of a running job's followed log."""
    seen: list[Piece] = []
    log = aiter(engine.logs(made.name, 0, follow=True))
    while len(seen) < count:
        seen.extend(await anext(log))
    await close(log)
    return seen


async def close(log: AsyncIterator[object]) -> None:
    aclose = getattr(log, "aclose", None)
    assert aclose is not None
    await aclose()


def text(pieces: list[Piece], stream: int = STDOUT) -> bytes:
    return b"".join(words for number, _, words in pieces if number == stream)
