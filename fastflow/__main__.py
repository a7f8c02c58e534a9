"""The composition root and the command line: here, and only here, the halves of Fast-Flow meet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from events.errors import FastFlowError
from fastflow import __version__
from fastflow.command_line import Actions, Role, command_line
from fastflow.settings import Settings

if TYPE_CHECKING:
    from events.store import EventStore
    from events.wake import Wake
    from fastflow.commands import Commands
    from fastflow.engine import Engine
    from fastflow.reactor.worker import Worker
    from sql.database import Database

DETACH_SECONDS_MAX = 20
NICENESS = -5


async def serve(settings: Settings, role: Role) -> None:
    """Run one role until SIGTERM or Ctrl-C; running containers are left alone."""
    from events.store import EventStore
    from events.wake import Wake
    from fastflow.serving import listen
    from sql.database import Database
    from sql.migrate import migrate

    _go_first()
    _make_folders(settings)
    listening = None if role == "work" else listen(settings.host, settings.port)
    async with contextlib.AsyncExitStack() as ground:
        if listening is not None:
            ground.callback(listening.close)
        address = await ground.enter_async_context(_database_address(settings))
        await migrate(address)
        database = await Database.open(address)
        ground.push_async_callback(database.close)
        wake = await ground.enter_async_context(Wake(database))
        store = await ground.enter_async_context(EventStore(database, wake))
        async with _announced(store, role):
            await _play(settings, database, wake, store, listening, works=role != "web")


async def _play(
    settings: Settings,
    database: Database,
    wake: Wake,
    store: EventStore,
    listening: socket.socket | None,
    *,
    works: bool,
) -> None:
    """Everything that runs side by side, until the program is told to stop."""
    from events import partitions

    told_to_stop = _stop_signal()
    async with contextlib.AsyncExitStack() as ends, asyncio.TaskGroup() as group:
        tasks = [group.create_task(partitions.keep_ahead(database), name="partitions")]
        if works:
            tasks += await _working(group, ends, settings, database, wake, store)
        if listening is not None:
            tasks += await _serving(group, ends, settings, database, wake, store, listening)
        await told_to_stop.wait()
        async with asyncio.timeout(DETACH_SECONDS_MAX):
            await ends.pop_all().aclose()
        for task in tasks:
            task.cancel()


async def _working(
    group: asyncio.TaskGroup,
    ends: contextlib.AsyncExitStack,
    settings: Settings,
    database: Database,
    wake: Wake,
    store: EventStore,
) -> list[asyncio.Task[None]]:
    """The containers' side: discovery and the worker."""
    from fastflow.commands import Commands
    from fastflow.engine.docker import DockerEngine
    from fastflow.pipelines.discovery import Discovery

    commands, snapshots = Commands(store), settings.data_dir / "snapshots"
    engine = DockerEngine(settings.docker_host)
    ends.push_async_callback(engine.close)
    worker = await _worker(settings, database, wake, store, commands, engine)
    ends.push_async_callback(worker.stop)
    discovery = Discovery(
        folder=settings.pipelines_dir, snapshots=snapshots, commands=commands, store=store, settings=settings
    )
    group.create_task(worker.run(), name="worker")
    return [group.create_task(discovery.watch(), name="discovery")]


async def _worker(
    settings: Settings, database: Database, wake: Wake, store: EventStore, commands: Commands, engine: Engine
) -> Worker:
    """The worker with all it needs; environments live beside the snapshots."""
    from events.installation import identity
    from fastflow.engine.environments import Environments
    from fastflow.engine.trust import trust
    from fastflow.reactor.worker import Worker

    instance = await identity(database)
    environments = Environments(
        engine,
        settings.data_dir / "environments",
        instance=instance,
        trust=trust(os.environ),
        cache=settings.uv_cache_dir,
    )
    return Worker(
        store=store,
        commands=commands,
        database=database,
        wake=wake,
        engine=engine,
        environments=environments,
        snapshots=settings.data_dir / "snapshots",
        settings=settings,
        instance=instance,
        owner=_owner(),
    )


async def _serving(
    group: asyncio.TaskGroup,
    ends: contextlib.AsyncExitStack,
    settings: Settings,
    database: Database,
    wake: Wake,
    store: EventStore,
    listening: socket.socket,
) -> list[asyncio.Task[None]]:
    """The answering side: read models and pages."""
    from fastflow.asking import Asking
    from fastflow.commands import Commands
    from fastflow.serving import Server
    from projections import PROJECTORS
    from projections.rebuild import ensure_current
    from projections.runner import Runner
    from web.app import create_app
    from web.live import Live

    await ensure_current(database)
    live = Live(database, wake)
    asking = Asking(Commands(store), store, settings)
    app = create_app(database=database, wake=wake, store=store, asking=asking, settings=settings, live=live)
    server = Server(app, live.close)
    runner = Runner(database, wake, PROJECTORS, owner=_owner())
    serving = group.create_task(server.serve([listening]), name="server")

    async def end_serving() -> None:
        server.end()
        await serving

    ends.push_async_callback(end_serving)
    click.echo(f"Fast-Flow {__version__} is at {settings.fastflow_url}  (Ctrl-C stops it, runs go on)")
    return [
        group.create_task(runner.run(), name="projectors"),
        group.create_task(live.watch(), name="live"),
    ]


@contextlib.asynccontextmanager
async def _database_address(settings: Settings) -> AsyncIterator[str]:
    """DATABASE_URL, or the address of a PostgreSQL of our own that lives as long as this block."""
    if settings.database_url:
        yield settings.database_url
        return
    from sql.embedded import EmbeddedPostgres

    embedded = EmbeddedPostgres(settings.data_dir / "postgres")
    address = await embedded.start()
    watching = asyncio.create_task(embedded.watch(), name="embedded database")
    try:
        yield address
    finally:
        watching.cancel()
        await embedded.stop()


@contextlib.asynccontextmanager
async def _announced(store: EventStore, role: Role) -> AsyncIterator[None]:
    """The log says when this process started and, unless it crashes, when it stopped."""
    from events.system import PROCESSES, ProcessStarted, ProcessStopped

    host = socket.gethostname()
    await store.append(PROCESSES, (ProcessStarted(role, __version__, host),), expected=None)
    yield
    with contextlib.suppress(FastFlowError):
        await store.append(PROCESSES, (ProcessStopped(role, host),), expected=None)


def _go_first() -> None:
    """Go before the scripts, an embedded database too, where that is allowed: pages stay quick in a flood."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def _make_folders(settings: Settings) -> None:
    for folder in (settings.data_dir, settings.data_dir / "snapshots", settings.data_dir / "environments"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"DATA_DIR={settings.data_dir} cannot be used: {error.strerror}"
            raise FastFlowError(message) from error


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and Ctrl-C."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    """The database of a running Fast-Flow, or one started for this command."""
    from sql.database import Database
    from sql.embedded import EmbeddedPostgres
    from sql.migrate import migrate

    running = settings.database_url or await EmbeddedPostgres(settings.data_dir / "postgres").found()
    async with contextlib.AsyncExitStack() as ground:
        address = running or str(await ground.enter_async_context(_database_address(settings)))
        await migrate(address)
        database = await Database.open(address)
        ground.push_async_callback(database.close)
        yield database


async def migrate_database(settings: Settings) -> None:
    """Bring the database to this release's form."""
    async with _database(settings):
        click.echo("The database is up to date.")


async def rebuild_read_models(settings: Settings, *names: str) -> None:
    """Build these read models again, or all of them."""
    from projections import PROJECTORS
    from projections.rebuild import rebuild

    wanted = names or tuple(projector.name for projector in PROJECTORS)
    async with _database(settings) as database:
        events = await rebuild(database, *wanted)
    click.echo(f"Rebuilt {', '.join(wanted)} from {events} events.")


async def verify_log(settings: Settings) -> int:
    """Check the log; the exit code."""
    from events.verify import verify

    async with _database(settings) as database:
        problems = await verify(database)
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(
        "The log is sound." if not problems else f"{len(problems)} problems found.", err=bool(problems)
    )
    return 1 if problems else 0


main = command_line(
    Actions(serve=serve, migrate=migrate_database, rebuild=rebuild_read_models, verify=verify_log)
)

if __name__ == "__main__":
    main()
