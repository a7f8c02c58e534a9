"""The process log: one line per named occurrence, JSON unless a person is watching."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Send every occurrence at or above `level` to standard error."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    watching = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if watching else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if watching else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
