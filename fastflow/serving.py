"""Serves the pages: uvicorn on a socket of ours, ended by the program and not by signals of its own."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from events.errors import FastFlowError

GRACEFUL_SHUTDOWN_SECONDS = 5
BACKLOG = 512


class AddressTaken(FastFlowError):
    """The address is in use by another program."""


class Server(uvicorn.Server):
    """Tells open pages first: uvicorn waits for them before it ends."""

    def __init__(self, app: Any, say_goodbye: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=True,
                timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
                ws="none",
            )
        )
        self.say_goodbye = say_goodbye

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the composition root."""
        yield

    def end(self) -> None:
        """Close the streams of open pages, then stop serving."""
        self.say_goodbye()
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises AddressTaken with a sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            message = f"{host}:{port} is in use by another program; set PORT to a free one"
            raise AddressTaken(message) from error
        message = f"cannot listen on {host}:{port}: {error.strerror}"
        raise AddressTaken(message) from error
    listening.setblocking(False)
    return listening
