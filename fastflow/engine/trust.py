"""What the containers need to know of this machine's network: certificates, package index, proxy.

Where the program itself lives behind a company's proxy, its environment says so, and its containers are told
the same. Addresses may hold a password: `without_password` is for everything that is written down anywhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from fastflow.engine import Mount

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian keeps them, so programs that read no setting find the same ones."""
CERTIFICATE_SETTINGS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
PROXY_SETTINGS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
INDEX_SETTINGS = {
    "UV_DEFAULT_INDEX": ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"),
    "UV_INDEX": ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
}
"""What uv reads, and where the host may have said it; the first wins."""

_user = re.compile(r"(?<=://)[^/\s@]+@")


@dataclasses.dataclass(frozen=True, slots=True)
class Trust:
    """Variables and mounts that give a container this machine's way to the network."""

    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()


def trust(environ: Mapping[str, str]) -> Trust:
    """What a program with this environment would trust and use."""
    env: dict[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    certificates = environ.get("SSL_CERT_FILE", "")
    if certificates and Path(certificates).is_file():
        mounts = (Mount(str(Path(certificates).resolve()), CERTIFICATES),)
        env.update(dict.fromkeys(CERTIFICATE_SETTINGS, CERTIFICATES))
    for proxy in PROXY_SETTINGS:
        if said := environ.get(proxy) or environ.get(proxy.lower()):
            env[proxy] = env[proxy.lower()] = said
    for setting, sources in INDEX_SETTINGS.items():
        if said := next((environ[source] for source in sources if environ.get(source)), None):
            env[setting] = said
    if "UV_DEFAULT_INDEX" in env:
        env["PIP_INDEX_URL"] = env["UV_DEFAULT_INDEX"]
    return Trust(env, mounts)


def without_password(text: str) -> str:
    """The same text, the user part of every address starred out."""
    return _user.sub("***@", text)
