"""What a request must look like before any endpoint sees it; every answer leaves with the same headers."""

from __future__ import annotations

import ipaddress
import re
import uuid
from urllib.parse import unquote_to_bytes

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import errors

log = structlog.get_logger()

TARGET_BYTES_MAX = 8192
BODY_BYTES_MAX = 1 << 20
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]/@\s]+)(:[0-9]{1,5})?")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Refuses what no browser of ours would send, answers for what nobody expected, sets the headers."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = uuid.uuid4().hex[:12]
        out = _Answer(scope, send)
        request = Request(scope, receive)
        try:
            refuse(scope, self.host)
            await self.app(scope, _limited(receive), out)
        except HTTPException as refused:
            await errors.answer(request, refused)(scope, receive, out)
        except Exception as failure:
            log.exception("web.request_failed", path=scope["path"], request_id=request.state.request_id)
            if out.started:
                return  # cut off: whoever reads it must not take it for whole
            await errors.answer(request, failure)(scope, receive, out)


class _Answer:
    """Sends on, with the headers every answer has."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.request_id: str = scope["state"]["request_id"]
        self.send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Request-Id"] = self.request_id
        await self.send(message)


def _limited(receive: Receive) -> Receive:
    """The same body, as long as it is not too large; nothing larger is ever held."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise HTTPException(413)
        return message

    return limited


def refuse(scope: Scope, host: str) -> None:
    """Raise HTTPException when the request's address, size, host or origin is not one of ours."""
    target = [scope.get("raw_path") or scope["path"].encode(), scope["query_string"]]
    if sum(map(len, target)) > TARGET_BYTES_MAX:
        raise HTTPException(414, "This address is longer than any of ours.")
    if not all(map(readable, target)):
        raise HTTPException(400, "This address holds bytes that are not text.")
    headers = Headers(scope=scope)
    announced = headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced) > BODY_BYTES_MAX:
        raise HTTPException(413)
    if len(headers.getlist("host")) > 1 or not is_local(headers.get("host", ""), host):
        raise HTTPException(400, "This server answers only under this machine's own names.")
    if scope["method"] not in SAFE_METHODS and not is_same_site(headers, scope["path"]):
        raise HTTPException(403, "This request came from another site, so nothing was done.")


def readable(part: bytes) -> bool:
    """Whether percent-encoded bytes are UTF-8 without NUL, which the database refuses too."""
    plain = unquote_to_bytes(part)
    try:
        plain.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in plain


def is_local(header: str, own: str) -> bool:
    """Whether a Host header names this machine: a foreign name that resolves here is an attack."""
    parts = HOST.fullmatch(header.lower())
    if parts is None:
        return False
    name = parts["name"].strip("[]")
    if name in ("localhost", own.lower()):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_same_site(headers: Headers, path: str) -> bool:
    """Whether an unsafe request comes from one of our own pages, or from a program.

    Browsers say so in Sec-Fetch-Site to trustworthy origins and in Origin to all (OWASP cross-site request
    forgery sheet); programs send neither, and have no business with the forms of pages.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return path.startswith("/api/")
    return origin.lower() == f"http://{headers.get('host', '')}".lower()
