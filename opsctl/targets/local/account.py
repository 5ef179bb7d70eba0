"""The unprivileged account of the servers that refuse to run as root."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from opsctl.errors import OpsctlError

NAME = "opsctl"
LOCK = Path("/run/opsctl-account.lock")
"""Held while the account is made; only root makes it."""


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def known() -> Account | None:
    """Return the account if it exists."""
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def needed(*, refuses_root: bool) -> bool:
    """Return whether a service runs under the account: only where this process is root."""
    return refuses_root and os.geteuid() == 0


def ensure() -> Account:
    """Return the account, made on first use; it cannot log in."""
    found = known()
    if found is not None:
        return found
    # Two `useradd` at once both succeed, and the second gives the name another uid.
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return known() or _made()


def _made() -> Account:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    options = (
        *("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
        *("--shell", "/usr/sbin/nologin", "--comment", "servers run by opsctl"),
    )
    made = useradd and subprocess.run(
        [useradd, *options, NAME], capture_output=True, text=True, check=False
    )
    found = known()
    if found is None:
        raise OpsctlError(
            f"PostgreSQL refuses root, and the system account {NAME!r} cannot be made",
            hint=f"make it with `useradd --system {NAME}`, or run opsctl as a normal user",
            details=made.stderr.splitlines() if made else ("useradd is not here",),
        )
    return found
