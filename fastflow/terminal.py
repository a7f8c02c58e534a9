"""The commands of the command line that talk to a running Fast-Flow."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from events.errors import FastFlowError, Unavailable

if TYPE_CHECKING:
    from fastflow.client import Client, LogLine

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_AWAY = 3
EXIT_CANCELLED = 130
WAIT_SECONDS = 30

T = TypeVar("T")

KEEPS_ITS_EFFECT = re.compile(r"\x1b\[[0-9;:]*m")
HAS_OTHER_EFFECT = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;:?<=>!]*[ -/]*[@-~]|"
    r"\x1b[@-Z\\^_]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)


def talk(url: str, conversation: Callable[[Client], Awaitable[T]]) -> T:
    """Hold one conversation with the server; an error ends the program with one line."""
    from fastflow.client import Client

    async def whole() -> T:
        client = Client(url)
        try:
            return await conversation(client)
        finally:
            await client.close()

    try:
        return asyncio.run(whole())
    except Unavailable as error:
        click.echo(f"fastflow: {error}", err=True)
        sys.exit(EXIT_AWAY)
    except FastFlowError as error:
        click.echo(f"fastflow: {error}", err=True)
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(EXIT_CANCELLED)


def safe_for_a_terminal(text: str) -> str:
    """Colours stay; whatever could move the cursor, set the title or touch the clipboard goes."""
    return HAS_OTHER_EFFECT.sub(lambda found: found[0] if KEEPS_ITS_EFFECT.fullmatch(found[0]) else "", text)


def show(lines: list[LogLine]) -> None:
    """Print lines to the stream the script wrote them to."""
    for line in lines:
        target = sys.stderr if line.stream == "stderr" else sys.stdout
        text = safe_for_a_terminal(line.text) if target.isatty() else line.text
        print(text, file=target)
    sys.stdout.flush()


async def follow_to_the_end(client: Client, run: str) -> int:
    """Show the log live; the script's exit code, or 1 when the run failed without one."""
    async for lines in client.follow(run):
        show(lines)
    while (found := await client.get(run, wait_seconds=WAIT_SECONDS))["status"] in ("PENDING", "RUNNING"):
        pass
    if found["status"] == "SUCCESS":
        return 0
    click.echo(f"fastflow: the run {ending(found)}", err=True)
    if found["status"] == "CANCELLED":
        return EXIT_CANCELLED
    return int(found.get("exit_code") or EXIT_FAILED)


def ending(run: dict[str, Any]) -> str:
    """How a run ended, in a few words."""
    if run["status"] == "CANCELLED":
        return "was cancelled"
    if run["reason"] == "exit_code":
        return f"failed with exit code {run['exit_code']}"
    return f"failed: {str(run['reason']).replace('_', ' ')}"


def environment(pairs: tuple[str, ...]) -> dict[str, str]:
    """`NAME=value` pairs; raises a usage error that names the wrong one."""
    for pair in pairs:
        if not pair.partition("=")[1]:
            message = f"{pair!r} is not of the form NAME=value"
            raise click.BadParameter(message, param_hint="--env")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


@click.command("run")
@click.argument("pipeline")
@click.option("--follow", "-f", is_flag=True, help="Show the log live; exit with the script's exit code.")
@click.option("--env", "-e", multiple=True, metavar="NAME=VALUE", help="Environment of this run; repeatable.")
@click.option("--idempotency-key", help="The same key asks for the same run, however often it is sent.")
@click.pass_obj
def run_pipeline(
    url: str, pipeline: str, env: tuple[str, ...], idempotency_key: str | None, *, follow: bool
) -> None:
    """Run PIPELINE; print the run's id."""
    wanted = environment(env)

    async def conversation(client: Client) -> int:
        run = await client.run(pipeline, env=wanted, idempotency_key=idempotency_key)
        if not follow:
            click.echo(run)
            return 0
        click.echo(f"run {run}  {client.url}/runs/{run}", err=True)
        return await follow_to_the_end(client, run)

    sys.exit(talk(url, conversation))


@click.command("logs")
@click.argument("run")
@click.option(
    "--follow", "-f", is_flag=True, help="Stay until the run is over; exit with the script's exit code."
)
@click.pass_obj
def show_log(url: str, run: str, *, follow: bool) -> None:
    """Print the log of RUN, byte for byte as the script wrote it; with --follow line by line, live."""

    async def conversation(client: Client) -> int:
        if follow:
            await client.get(run)
            return await follow_to_the_end(client, run)
        async for block in client.raw_log(run):
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        return 0

    sys.exit(talk(url, conversation))


@click.command("runs")
@click.option("--pipeline", "-p", help="Only runs of this pipeline.")
@click.option("--status", "-s", help="Only PENDING, RUNNING, SUCCESS, FAILED or CANCELLED.")
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(1, 200))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.pass_obj
def list_runs(url: str, pipeline: str | None, status: str | None, limit: int, *, as_json: bool) -> None:
    """List the newest runs."""
    filters = {"limit": str(limit)}
    filters |= {"pipeline": pipeline} if pipeline else {}
    filters |= {"status": status.upper()} if status else {}
    found = talk(url, lambda client: client.runs(**filters))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_table(found)


def print_table(runs: list[dict[str, Any]]) -> None:
    """Runs as a table on a terminal of any width."""
    from rich.console import Console
    from rich.table import Table

    colours = {
        "SUCCESS": "green",
        "FAILED": "red",
        "RUNNING": "blue",
        "PENDING": "yellow",
        "CANCELLED": "magenta",
    }
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("run", "pipeline", "status", "requested", "took", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "run")
    for run in runs:
        colour = colours.get(run["status"], "default")
        requested = dt.datetime.fromisoformat(run["requested_at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        duration = run["duration_seconds"]
        took = "" if duration is None else f"{duration:.1f} s"
        why = (
            ending(run)
            if run["status"] in ("FAILED", "CANCELLED")
            else (run["reason"] or "").replace("_", " ")
        )
        table.add_row(run["id"], run["pipeline"], f"[{colour}]{run['status']}[/]", requested, took, why)
    Console().print(table if runs else "No runs yet. Start one with: fastflow run NAME --follow")


COMMANDS: tuple[click.Command, ...] = (run_pipeline, show_log, list_runs)
