"""A disk that takes no more of a process: the kernel's limit on file sizes, set from outside.

It needs no root and no disk of its own. What a process appends to a file fails, with "file too
large" where a full disk says "no space left"; sockets and pipes go on. Only programs that
ignore the kernel's signal for it live on: Python and PostgreSQL do, etcd and Valkey end, as
they do on a full disk. Who is started anew has no limit.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from opsctl.errors import OpsctlError

PROC = Path("/proc")
ANSWER_S = 5.0
PROGRAM = "prlimit"


def bound(pids: Iterable[int], *, full: bool) -> None:
    """Let processes write no more to files, or again; one that is gone is left out."""
    for pid in pids:
        try:
            owner = (PROC / str(pid)).stat().st_uid
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        except PermissionError:
            hard = resource.RLIM_INFINITY
        except (FileNotFoundError, ProcessLookupError):
            continue
        soft = 0 if full else hard
        try:
            if owner == os.geteuid():
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
            else:
                _as(owner, pid, soft)
        except (FileNotFoundError, ProcessLookupError):
            continue


def refusal(pids: Iterable[int]) -> str:
    """Return why the limit of these processes cannot be set; empty where it can."""
    if any((PROC / str(pid)).stat().st_uid != os.geteuid() for pid in pids) and not (
        os.geteuid() == 0 and shutil.which(PROGRAM)
    ):
        return f"it belongs to another account: root and the program {PROGRAM} could do it"
    return ""


def _as(owner: int, pid: int, soft: int) -> None:
    """Set it as the account that owns the process: root alone may not, in a container."""
    said = "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
    done = subprocess.run(
        [shutil.which(PROGRAM) or PROGRAM, f"--pid={pid}", f"--fsize={said}:"],
        user=owner,
        group=(PROC / str(pid)).stat().st_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        check=False,
    )
    if done.returncode != 0 and (PROC / str(pid)).exists():
        raise OpsctlError(f"the limit of process {pid} cannot be set: {done.stderr.strip()}")
