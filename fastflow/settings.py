"""What can be set from outside: one frozen record, read once from the environment when a process starts.

Every name has a working default. A value that cannot be meant, a name that looks misspelt and an address
other machines could reach stop the start with one line.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from events.errors import FastFlowError
from fastflow.setting_values import (
    LogLevel,
    engine_url,
    fernet_keys,
    file,
    folder,
    level,
    limit,
    loopback,
    postgres_url,
    web_url,
    whole,
    word,
    yes_or_no,
)


class SettingsRefused(FastFlowError):
    """A setting cannot be meant as written."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings; a field `x_y` is the environment variable `X_Y`."""

    database_url: str | None = None
    """A PostgreSQL server, `postgresql://user@host/name`; None: Fast-Flow starts its own. Secret."""
    pipelines_dir: Path
    """The folder whose files and folders are the pipelines; else `./pipelines`, else `./examples`."""
    data_dir: Path
    """Where snapshots, environments and the embedded database live."""
    logs_dir: Path
    """Where logs go before retention drops them; else `logs` in `data_dir`."""
    worker_base_image: str = "fastflow-worker:3.11"
    """The image every run's container is made from."""
    uv_cache_dir: Path | None = None
    """The cache that only environment builds see; None: beside the environments, sharing their files."""
    uv_pre_heat: bool = True
    """Build a pipeline's environment when its requirements are discovered, not when it first runs."""
    max_concurrent_runs: int = 10
    """Runs at the same time; more wait."""
    queue_limit: int = 10_000
    """Runs that may wait; past it a request is refused with 429."""
    container_timeout: int | None = None
    """Seconds a run may take when its pipeline says nothing; None (0 outside): no limit."""
    retry_attempts: int = 0
    """Attempts after the first one when the pipeline says nothing."""
    git_repo_url: str | None = None
    """The repository the pipelines come from; None: they are only read from `pipelines_dir`. Secret."""
    git_branch: str = "main"
    """The branch of that repository."""
    auto_sync_interval: int | None = None
    """Seconds between two looks at the repository; None (0 outside): only when asked."""
    log_retention_runs: int | None = None
    """Runs per pipeline whose logs are kept; None (0 outside): all."""
    log_retention_days: int | None = None
    """Days logs are kept; None (0 outside): for ever."""
    log_max_size_mb: int = 1024
    """Megabytes of output kept of one run; what comes after is declared, not stored."""
    log_stream_rate_limit: int = 100
    """Lines a second sent to a page; what is stored is never limited."""
    encryption_key: tuple[str, ...] = ()
    """Fernet keys, separated by commas; the first one encrypts, all decrypt. Secret."""
    github_app_id: str | None = None
    """The GitHub App that may read the repository."""
    github_installation_id: str | None = None
    """That app's installation."""
    github_private_key_path: Path | None = None
    """The file with that app's private key."""
    docker_host: str | None = None
    """The container engine's address; None: the default socket."""
    host: str = "127.0.0.1"
    """The address the server listens on; only this machine's own, until there is a login."""
    port: int = 8000
    """The port the server listens on."""
    log_level: LogLevel = "info"
    """How much the program itself says about its doings."""
    fastflow_url: str = "http://127.0.0.1:8000"
    """Where the command line finds the server; else `host` and `port`."""

    def __repr__(self) -> str:
        """Every field by name; of a secret only whether it is set."""
        return f"Settings({', '.join(f'{name}={value}' for name, value in self.shown().items())})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """The same for rich."""
        return list(self.shown().items())

    def shown(self) -> dict[str, str]:
        """Field names and values fit for a screen: secrets are starred out."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: "***" if name in _SECRET_FIELDS and value else repr(value) for name, value in values}


def read(environ: Mapping[str, str]) -> Settings:
    """Read all settings; an empty variable counts as not set. Raises SettingsRefused with one line."""
    _refuse_misspelt(environ)
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        text = _text(environ, name)
        if text is None:
            continue
        try:
            values[name.lower()] = parse(text)
        except ValueError as problem:
            given = name if name in _SECRETS else f"{name}={_printable(text)}"
            raise SettingsRefused(f"{given} {problem}") from None
    values.setdefault("pipelines_dir", _default_pipelines_dir())
    data_dir: Path = values.setdefault("data_dir", _default_data_dir(environ))
    values.setdefault("logs_dir", data_dir / "logs")
    settings = Settings(**values)
    if "fastflow_url" in values:
        return settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return msgspec.structs.replace(settings, fastflow_url=f"http://{host}:{settings.port}")


def _text(environ: Mapping[str, str], name: str) -> str | None:
    """The variable's text, or for a secret what is in the file that NAME_FILE names."""
    text = environ.get(name, "").strip() or None
    file = environ.get(f"{name}_FILE", "").strip() if name in _SECRETS else ""
    if not file:
        return text
    if text:
        raise SettingsRefused(f"{name} and {name}_FILE are both set; keep one")
    try:
        text = Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise SettingsRefused(f"{name}_FILE={_printable(file)} cannot be read: {why}") from None
    if not text:
        raise SettingsRefused(f"{name}_FILE={_printable(file)} is an empty file")
    return text


def _printable(text: str) -> str:
    """One short line of it, whatever it holds."""
    short = text if len(text) <= _SHOWN_CHARACTERS_MAX else text[:_SHOWN_CHARACTERS_MAX] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in short)


_SHOWN_CHARACTERS_MAX = 80


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    known = [*_PARSERS, *(f"{name}_FILE" for name in _SECRETS)]
    for name in sorted(set(environ).difference(known)):
        meant = _meant(name, environ[name], known)
        if meant:
            raise SettingsRefused(f"{_printable(name)} is not a setting; did you mean {meant}?")


def _meant(name: str, value: str, known: list[str]) -> str | None:
    """The setting that a variable's name was probably meant to be.

    The environment belongs to other programs too, so in doubt the answer is None: `HOSTNAME`, `PORTS`,
    `DOCKER_HOST_IP`, `WLOG_LEVEL`, and Kubernetes' `FASTFLOW_PORT=tcp://…` for a service of that name.
    """
    written = name.upper()
    for spelt in (written, written.removeprefix("FASTFLOW_")):
        if spelt in known:
            short = name == name.lower() and len(name) < _SUSPECT_LENGTH_MIN
            return None if short or (spelt == "PORT" and "://" in value) else spelt
    near = difflib.get_close_matches(written, known, n=1, cutoff=_SUSPECT_RATIO_MIN)
    if not near or len(written) < _SUSPECT_LENGTH_MIN:
        return None
    return None if _differs_by_a_word(written, near[0]) else near[0]


def _differs_by_a_word(written: str, known: str) -> bool:
    """`DATABASE_USER` is no slip of the finger for `DATABASE_URL`, nor `DOCKER_HOST_IP` for `DOCKER_HOST`."""
    if written[0] != known[0] or written.startswith(f"{known}_"):
        return True
    words = written.split("_"), known.split("_")
    if len(words[0]) != len(words[1]):
        return False
    ratios = (difflib.SequenceMatcher(None, *pair).ratio() for pair in zip(*words, strict=True))
    return min(ratios) < _SAME_WORD_RATIO_MIN


_SUSPECT_LENGTH_MIN = 7
_SUSPECT_RATIO_MIN = 0.87
_SAME_WORD_RATIO_MIN = 0.65


def _default_pipelines_dir() -> Path:
    pipelines, examples = Path.cwd() / "pipelines", Path.cwd() / "examples"
    return examples if examples.is_dir() and not pipelines.is_dir() else pipelines


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/fastflow")
    data_home = environ.get("XDG_DATA_HOME", "")
    if data_home.startswith("/"):  # the XDG base directory rules: a relative path is to be ignored
        return Path(data_home) / "fastflow"
    return Path(environ.get("HOME") or Path.home()) / ".local" / "share" / "fastflow"


_SECONDS_MAX = 10 * 366 * 24 * 3600
_SECRETS = frozenset({"DATABASE_URL", "ENCRYPTION_KEY", "GIT_REPO_URL"})
_SECRET_FIELDS = frozenset(name.lower() for name in _SECRETS)
_PARSERS: dict[str, Callable[[str], Any]] = {
    "DATABASE_URL": postgres_url,
    "PIPELINES_DIR": folder,
    "DATA_DIR": folder,
    "LOGS_DIR": folder,
    "WORKER_BASE_IMAGE": word,
    "UV_CACHE_DIR": folder,
    "UV_PRE_HEAT": yes_or_no,
    "MAX_CONCURRENT_RUNS": whole(1, 10_000),
    "QUEUE_LIMIT": whole(1, 10_000_000),
    "CONTAINER_TIMEOUT": limit(_SECONDS_MAX),
    "RETRY_ATTEMPTS": whole(0, 100),
    "GIT_REPO_URL": word,
    "GIT_BRANCH": word,
    "AUTO_SYNC_INTERVAL": limit(_SECONDS_MAX),
    "LOG_RETENTION_RUNS": limit(1_000_000_000),
    "LOG_RETENTION_DAYS": limit(36_500),
    "LOG_MAX_SIZE_MB": whole(1, 1_000_000),
    "LOG_STREAM_RATE_LIMIT": whole(1, 1_000_000),
    "ENCRYPTION_KEY": fernet_keys,
    "GITHUB_APP_ID": word,
    "GITHUB_INSTALLATION_ID": word,
    "GITHUB_PRIVATE_KEY_PATH": file,
    "DOCKER_HOST": engine_url,
    "HOST": loopback,
    "PORT": whole(1, 65_535),
    "LOG_LEVEL": level,
    "FASTFLOW_URL": web_url,
}
