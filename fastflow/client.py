"""A client of Fast-Flow's own HTTP API, for the command line and for programs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec

from events.errors import FastFlowError, NotFound, Rejected, Unavailable

CONNECT_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 60.0
STREAM_SILENCE_SECONDS = 45.0
RECONNECTS_MAX = 60


class ServerAway(Unavailable):
    """Fast-Flow does not answer."""


class LogLine(msgspec.Struct, frozen=True, array_like=True):
    """One line of a run's log, as the stream sends it."""

    number: int
    stream: str
    at: int
    """Milliseconds since 1970, by the engine's clock."""
    text: str


class Client:
    """Asks one Fast-Flow server. Every method may raise ServerAway, NotFound or Rejected."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.http = httpx.AsyncClient(
            base_url=self.url,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            headers={"accept": "application/json", "user-agent": "fastflow"},
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self.http.aclose()

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """One request; the answer's JSON."""
        try:
            answer = await self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ServerAway(self.away(error)) from error
        if answer.is_success:
            return answer.json()
        raise refusal(answer)

    def away(self, error: Exception) -> str:
        """The sentence for a server that does not answer."""
        return f"Fast-Flow does not answer at {self.url} ({error}); start it with: fastflow up"

    async def run(self, pipeline: str, *, env: dict[str, str], idempotency_key: str | None = None) -> str:
        """Ask for a run; its id."""
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        headers["x-fastflow-client"] = "cli"
        path = f"/api/pipelines/{quoted(pipeline)}/run"
        answer = await self.ask("POST", path, json={"env": env}, headers=headers)
        return str(answer["id"])

    async def get(self, run: str, *, wait_seconds: int = 0) -> dict[str, Any]:
        """One run; with `wait_seconds`, as soon as it is over or after that time."""
        found = await self.ask(
            "GET", f"/api/runs/{quoted(run)}", params={"wait": wait_seconds} if wait_seconds else {}
        )
        return dict(found)

    async def runs(self, **filters: str) -> list[dict[str, Any]]:
        """The newest runs that fit the filters (`pipeline`, `status`, `limit`)."""
        return list((await self.ask("GET", "/api/runs", params=filters))["runs"])

    async def cancel(self, run: str) -> None:
        """Stop a run."""
        await self.ask("POST", f"/api/runs/{quoted(run)}/cancel")

    async def raw_log(self, run: str) -> AsyncIterator[bytes]:
        """The log's bytes as the script wrote them."""
        try:
            async with self.http.stream("GET", f"/api/runs/{quoted(run)}/logs") as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise refusal(answer)
                async for block in answer.aiter_bytes():
                    yield block
        except httpx.TransportError as error:
            raise ServerAway(self.away(error)) from error

    async def follow(self, run: str, after_line: int = 0) -> AsyncIterator[list[LogLine]]:
        """Every line from `after_line` on, live, until the run is over; reconnects where it stopped."""
        last, failures = after_line, 0
        while True:
            try:
                async for lines in self.follow_once(run, last):
                    last, failures = lines[-1].number, 0
                    yield lines
            except (httpx.TransportError, Unavailable) as error:
                failures += 1
                if failures > RECONNECTS_MAX:
                    raise ServerAway(self.away(error)) from error
                await pause(failures)
            else:
                return

    async def follow_once(self, run: str, after_line: int) -> AsyncIterator[list[LogLine]]:
        """One connection's worth of `follow`; ends with the log, raises TransportError when cut."""
        headers = {"accept": "text/event-stream", "last-event-id": str(after_line)}
        timeout = httpx.Timeout(STREAM_SILENCE_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
        path = f"/api/runs/{quoted(run)}/logs/stream"
        async with self.http.stream(
            "GET", path, params={"all": 1}, headers=headers, timeout=timeout
        ) as answer:
            if not answer.is_success:
                await answer.aread()
                raise refusal(answer)
            async for name, data in server_sent_events(answer.aiter_lines()):
                if name == "end":
                    return
                if name in ("message", "lines"):
                    yield msgspec.json.decode(data, type=list[LogLine])
        raise httpx.RemoteProtocolError("the stream ended before the log did")


async def server_sent_events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """(event name, data) of each message of a text/event-stream (HTML standard, section 9.2)."""
    name, data = "message", list[str]()
    async for line in lines:
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))


async def pause(failures: int) -> None:
    """Wait before connecting again: 0.1 s, doubling to 2 s."""
    import asyncio

    await asyncio.sleep(min(0.1 * 2**failures, 2.0))


def quoted(part: str) -> str:
    """One path segment, whatever is in it."""
    from urllib.parse import quote

    return quote(part, safe="")


def refusal(answer: httpx.Response) -> FastFlowError:
    """The error that a problem document (RFC 9457) stands for."""
    problem: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        problem = answer.json()
    words = str(problem.get("detail") or problem.get("title") or f"the server answered {answer.status_code}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotFound(words)
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Unavailable(words)
    return Rejected(words)
