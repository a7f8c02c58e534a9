"""Pages of a log for the viewer: forwards from a line, or backwards from one."""

from __future__ import annotations

from collections import deque

from events.chunk import Line, LogStream
from projections import run_log
from projections.run_log import PAGE_LINES_MAX, LogPage, LogStore


async def before(store: LogStore, run: str, line: int, count: int, stream: LogStream | None) -> LogPage:
    """The last `count` lines before a number, of one stream or of both; rare ones are looked for far back."""
    last_line = await store.last_line(run)
    end, span = min(line, last_line + 1), PAGE_LINES_MAX
    if stream is None:
        first = max(1, end - count)
        page = await run_log.lines(store, run, first, end - first)
        return LogPage(page.lines, end, last_line)
    found: list[Line] = []
    while end > 1 and len(found) < count:
        start = max(1, end - span)
        found = [*await _last(store, run, (start, end), count - len(found), stream), *found]
        end, span = start, span * 2
    return LogPage(found, min(line, last_line + 1), last_line)


async def _last(
    store: LogStore, run: str, span: tuple[int, int], count: int, stream: LogStream
) -> deque[Line]:
    """The last lines of a stream from one number to before another."""
    at, end = span
    found: deque[Line] = deque(maxlen=count)
    while at < end:
        page = await run_log.lines(store, run, at, PAGE_LINES_MAX, stream)
        found.extend(line for line in page.lines if line.number < end)
        if page.next_line <= at:
            break
        at = page.next_line
    return found
