"""Runs one PostgreSQL command with a user's rights only; called by its path, as a program of its own.

PostgreSQL refuses to run as root. Neither every event loop nor every machine can change the user of a new
process (uvloop cannot, `setpriv` may be missing), a fresh Python of ten milliseconds always can.

    embedded_launch.py UID GID LOG COMMAND...

An empty LOG: become the command. Otherwise start it on its own, its output added to LOG, and print its id.
"""

from __future__ import annotations

import os
import sys

LOG_BYTES_MAX = 8 * 1024 * 1024


def main(arguments: list[str]) -> None:
    """Give up every right but the user's, then run the command."""
    uid, gid, log, *command = arguments
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # uvloop leaves the ends of its pipes open
    _become(int(uid), int(gid))
    os.chdir("/")
    os.umask(0o077)
    if log:
        _detach(log)
    os.execv(command[0], command)  # noqa: S606 - the whole point


def _become(uid: int, gid: int) -> None:
    if os.geteuid() == uid:
        return
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _detach(log: str) -> None:
    replaced, closes_when_replaced = os.pipe()
    started = os.fork()
    if started:
        os.close(closes_when_replaced)
        os.read(replaced, 1)  # until then the process is neither known by its name nor the user's
        sys.stdout.write(f"{started}\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if os.fstat(output).st_size > LOG_BYTES_MAX:
        os.ftruncate(output, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


if __name__ == "__main__":
    main(sys.argv[1:])
