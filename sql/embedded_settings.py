"""What the embedded server is told: its settings, who may connect, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ROLE: Final = "fastflow"
DATABASE: Final = "fastflow"
_MAP: Final = "program"

_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "100",
    # Idle memory counts more than a cache: the system's own page cache holds the rest.
    "shared_buffers": "64MB",
    "wal_buffers": "16MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    # The log lane has many partitions, and a rebuild touches all of them.
    "max_locks_per_transaction": "128",
    "random_page_cost": "1.1",
    "jit": "off",
    # A program killed in the middle must not hold the append lock.
    "idle_in_transaction_session_timeout": "60s",
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}


def configuration(*, name: str, socket: str, hba: str, ident: str) -> str:
    """`postgresql.conf`: the whole of it, the cluster's own file is not read."""
    own = {
        "cluster_name": name,
        "unix_socket_directories": socket,
        "hba_file": hba,
        "ident_file": ident,
    }
    return "".join(f"{key} = {_quoted(value)}\n" for key, value in (own | dict(_SETTINGS)).items())


def connections() -> str:
    """`pg_hba.conf`: only the socket, and only whom the operating system vouches for."""
    return f"local all {ROLE} peer map={_MAP}\nlocal replication {ROLE} peer map={_MAP}\n"


def identities(program_user: str) -> str:
    """`pg_ident.conf`: only the user this program runs as may connect."""
    name = program_user.replace('"', '""')
    return f'{_MAP} "{name}" {ROLE}\n'


def address(socket: str, database: str = DATABASE) -> str:
    """The DSN of the server behind a socket folder."""
    return f"postgresql://{ROLE}@/{database}?host={socket}"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
