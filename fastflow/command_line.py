"""The command line: every verb with a sentence; what a verb does is handed in by the composition root."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol, TypeVar

import click

from events.errors import FastFlowError
from fastflow import __version__, terminal
from fastflow.settings import Settings, read

Role = Literal["up", "web", "work"]
T = TypeVar("T")

EXIT_REFUSED = 2


class Rebuild(Protocol):
    """Builds the named read models again, or all of them."""

    def __call__(self, settings: Settings, *names: str) -> Coroutine[Any, Any, None]:
        """Start it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Actions:
    """What the verbs do that need more than the asking side."""

    serve: Callable[[Settings, Role], Coroutine[Any, Any, None]]
    migrate: Callable[[Settings], Coroutine[Any, Any, None]]
    rebuild: Rebuild
    verify: Callable[[Settings], Coroutine[Any, Any, int]]


def command_line(actions: Actions) -> click.Group:
    """The whole command line."""
    commands = (
        role("up", "Run everything in one process.", actions),
        role("web", "Run the pages and the API only; needs no container engine.", actions),
        role("work", "Run the containers' side only; it alone talks to the container engine.", actions),
        setup,
        migrate(actions),
        rebuild(actions),
        verify(actions),
        *terminal.COMMANDS,
    )
    for command in commands:
        whole.add_command(command)
    return whole


@click.group("fastflow", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fastflow")
@click.option("--url", envvar="FASTFLOW_URL", help="Where the server is (for run, runs and logs).")
@click.pass_context
def whole(context: click.Context, url: str | None) -> None:
    """Fast-Flow runs Python scripts in containers and keeps every line they print."""
    asks_a_server = context.invoked_subcommand in {command.name for command in terminal.COMMANDS}
    context.obj = url or (finish(_address) if asks_a_server else None)


def role(name: Role, sentence: str, actions: Actions) -> click.Command:
    """A verb that runs until it is told to stop."""
    return click.Command(
        name, help=sentence, callback=lambda: finish(lambda settings: actions.serve(settings, name))
    )


@click.command()
def setup() -> None:
    """Install or start what this machine lacks: a container engine and the worker image."""
    finish(_setup)


def migrate(actions: Actions) -> click.Command:
    """The verb `migrate`."""

    @click.command("migrate")
    def command() -> None:
        """Bring the database to this release's form (up, web and work do it by themselves)."""
        finish(actions.migrate)

    return command


def rebuild(actions: Actions) -> click.Command:
    """The verb `rebuild`."""

    @click.command("rebuild")
    @click.argument("names", nargs=-1, metavar="[NAME]...")
    def command(names: tuple[str, ...]) -> None:
        """Build read models again from the log, all of them or those named; pages go on meanwhile."""
        finish(lambda settings: actions.rebuild(settings, *names))

    return command


def verify(actions: Actions) -> click.Command:
    """The verb `verify`."""

    @click.command("verify")
    def command() -> None:
        """Check every promise the log makes about itself; exit code 1 when one is broken."""
        sys.exit(finish(actions.verify))

    return command


def finish(command: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run a command to its end; an error of ours ends the program with one line and code 2."""
    import uvloop

    from fastflow import process_log

    try:
        settings = read(os.environ)
        process_log.configure(settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(command(settings))
    except* FastFlowError as group:
        for error in _leaves(group):
            click.echo(f"fastflow: {error}", err=True)
    sys.exit(EXIT_REFUSED)


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """The errors themselves, however deep task groups have wrapped them."""
    found = list[BaseException]()
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def _setup(settings: Settings) -> None:
    from fastflow import machine

    await machine.prepare(settings.worker_base_image, settings.docker_host, click.echo)


async def _address(settings: Settings) -> str:
    return settings.fastflow_url
