"""Follows the log with every read model: rows and checkpoints move in one transaction, or not at all."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterable, Sequence

import msgspec
import structlog

import sql
from events.errors import FastFlowError, Unavailable
from events.lease import Lease
from events.wake import EVERYTHING, Wake
from projections import log_page
from projections.following import AnyFolded, AnyFollowing, AnyProjector, Following
from projections.log_page import LogPage
from sql.database import Connection, Database

LEASE = "projectors"
COMMIT_INTERVAL_SECONDS = 0.01
"""Between two commits while the log is followed live: what comes meanwhile is one batch."""
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.05, 2.0
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_log = structlog.get_logger()
_queries = sql.load("projector")


class Moved(FastFlowError):
    """A checkpoint was moved, or a table replaced, by somebody else."""


class RowRefused(FastFlowError):
    """A row cannot go to its table, or cannot come from it."""

    def __init__(self, following: AnyFollowing, error: Exception) -> None:
        super().__init__(f"Its rows do not fit its table: {type(error).__name__}: {error}")
        self.following = following


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """What a page does to one read model, ready to be written."""

    following: AnyFollowing
    folded: AnyFolded
    to: int


class Runner:
    """Projects while it holds the lease; one in each process, one of them at work."""

    def __init__(
        self, database: Database, wake: Wake, projectors: Sequence[AnyProjector], *, owner: str
    ) -> None:
        self._database = database
        self._wake = wake
        self._projectors = {projector.name: projector for projector in projectors}
        self._types = frozenset[str]().union(*(projector.types for projector in projectors))
        self._owner = owner
        self._followings: list[AnyFollowing] = []
        self._stopped: set[str] = set()

    async def run(self) -> None:
        """Follow the log for ever; an outage of the database is waited out."""
        while True:
            async with Lease(self._database, LEASE, self._owner) as lease:
                self._stopped = set()
                await self._follow(lease.lost)

    async def _follow(self, lost: asyncio.Event) -> None:
        fresh, pause = True, RETRY_SECONDS_MIN
        while not lost.is_set():
            try:
                if fresh:
                    await self._open()
                more = await self._turn()
            except Moved:
                fresh = True
                continue
            except Unavailable as error:
                _log.warning("projectors.waiting", reason=str(error))
                fresh = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS_MAX)
                continue
            fresh, pause = False, RETRY_SECONDS_MIN
            if not more:
                await self._wake.beyond_control(self._behind())

    async def _open(self) -> None:
        """Begin where the checkpoints are, with no row in memory; what pages show may be from before."""
        self._followings = []
        async with self._database.acquire() as connection:
            states = await connection.fetch(_queries.states, [*self._projectors])
        for state in states:
            projector = self._projectors[state["name"]]
            if state["version"] != projector.version:
                _log.warning("projector.other_version", name=projector.name, stored=state["version"])
            elif projector.name not in self._stopped:
                self._followings.append(Following(projector, state["position"], state["build"]))
        # after a crash or a lost answer nobody knows whether the last batch was told of
        self._wake.say_stale({EVERYTHING})

    async def _turn(self) -> bool:
        """Move every read model on by a page; whether there is more to read at once."""
        more = False
        began = time.monotonic()
        for position in sorted({following.position for following in self._followings}):
            group = [following for following in self._followings if following.position == position]
            page = await log_page.read(self._database, position, self._types)
            if page.last > position:
                try:
                    await self._project(group, page)
                except RowRefused as error:
                    await self._stop(error.following, str(error))
                    more = True
            more |= page.full
        if not more:
            await asyncio.sleep(began + COMMIT_INTERVAL_SECONDS - time.monotonic())
        return more

    async def _project(self, group: Sequence[AnyFollowing], page: LogPage) -> None:
        async with self._database.acquire() as connection:
            moves = [await _move(connection, following, page) for following in group]
            async with connection.transaction():
                await connection.execute(_queries.commit_soon)
                await self._advance(connection, moves)
                for move in moves:
                    await self._save(connection, move)
        topics: set[str] = set()
        for move in moves:
            topics.update(_commit(move))
        self._wake.say_stale(topics)
        for move in moves:
            if move.folded.poison is not None:
                await self._stop(move.following, str(move.folded.poison))

    async def _advance(self, connection: Connection, moves: Sequence[Move]) -> None:
        """Move the checkpoints; raises Moved when one of them is not where we left it."""
        from_ = moves[0].following.position
        for to in sorted({move.to for move in moves if move.to > from_}):
            names = [move.following.name for move in moves if move.to == to]
            advanced = await connection.fetch(_queries.advance, names, from_, to)
            if len(advanced) != len(names):
                raise Moved
        # read after the checkpoints are locked: a rebuild replaces a table under the same locks
        builds = await connection.fetch(_queries.builds, [move.following.name for move in moves])
        known = {move.following.name: move.following.build for move in moves}
        if any(known[row["name"]] != row["build"] for row in builds):
            raise Moved

    async def _save(self, connection: Connection, move: Move) -> None:
        try:
            await move.following.rows.save(connection, move.folded.rows)
        except Exception as error:
            if self._database.failure(error, connection) is None:
                raise RowRefused(move.following, error) from error
            raise

    async def _stop(self, following: AnyFollowing, error: str) -> None:
        """Leave a read model where it is, visibly; the others go on."""
        _log.error("projector.stopped", name=following.name, position=following.position, reason=error)
        async with self._database.acquire() as connection:
            await connection.execute(_queries.stop, following.name, error.replace("\0", REPLACEMENT))
        self._followings.remove(following)
        self._stopped.add(following.name)
        self._wake.say_stale({"system"})

    def _behind(self) -> int:
        return min((following.position for following in self._followings), default=self._wake.control)


async def _move(connection: Connection, following: AnyFollowing, page: LogPage) -> Move:
    """What a page does to a read model."""

    async def the_one() -> Connection:
        return connection

    try:
        folded = await following.fold(page, the_one)
    except msgspec.MsgspecError as error:
        raise RowRefused(following, error) from error
    return Move(following, folded, page.last if folded.poison is None else folded.poison.position - 1)


def _commit(move: Move) -> Iterable[str]:
    """Take over what was written; the topics that went stale by it."""
    following = move.following
    following.position = move.to
    following.rows.keep(move.folded.rows)
    following.rows.trim()
    return {topic for key, row in move.folded.rows.items() for topic in following.projector.topics(key, row)}
