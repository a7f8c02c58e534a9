"""How to reach the Docker daemon: its address as in DOCKER_HOST becomes a pool of connections."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import aiohttp

from fastflow.engine import EngineRefused

SOCKETS = (Path("/run/docker.sock"), Path("/var/run/docker.sock"))
CONNECT_SECONDS = 5.0
READ_BYTES = 1 << 16
"""aiohttp keeps at most twice this of a stream before it lets the daemon wait."""


class AddressRefused(EngineRefused):
    """DOCKER_HOST must start with unix:// or tcp://."""


def connection(
    host: str | None, connections_max: int, version: aiohttp.HttpVersion
) -> tuple[str, aiohttp.ClientSession]:
    """The address to compose calls with, and the pool that makes them; 0 connections means no limit."""
    scheme, _, rest = (host or f"unix://{_socket()}").partition("://")
    connector: aiohttp.BaseConnector
    match scheme:
        case "unix":
            connector = aiohttp.UnixConnector(rest, limit=connections_max)
            address = "unix://localhost"  # the socket is the connector's business
        case "tcp" | "http" | "https" if os.environ.get("DOCKER_TLS_VERIFY") == "1":
            connector = aiohttp.TCPConnector(limit=connections_max, ssl=_certificates())
            address = f"https://{rest}"
        case "tcp" | "http" | "https":
            connector = aiohttp.TCPConnector(limit=connections_max)
            address = f"{scheme}://{rest}"
        case _:
            raise AddressRefused(f"DOCKER_HOST must start with unix:// or tcp://, not {host!r}")
    limit = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS)
    return address, aiohttp.ClientSession(
        connector=connector, timeout=limit, version=version, read_bufsize=READ_BYTES
    )


def _socket() -> Path:
    return next((path for path in SOCKETS if path.exists()), SOCKETS[-1])


def _certificates() -> ssl.SSLContext:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or "~/.docker").expanduser()
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
