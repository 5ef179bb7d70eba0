"""Secrets of an environment that lives elsewhere: here for as long as a command runs.

A process that uses this machine's copy shares a lock; the last one that gives it back removes the
secrets. One that is killed leaves them, mode 600, for the next to remove.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
from pathlib import Path

from opsctl.state import environment_folder

USING = "using"
SECRETS = "secrets"

_borrowed: dict[Path, int] = {}


def borrow(environment: str) -> None:
    """Keep the secrets of an environment's copy here until this process has ended."""
    folder = environment_folder(environment)
    if folder in _borrowed:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / USING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _borrowed[folder] = descriptor
    atexit.register(_give_back, folder)


def give_back(environment: str) -> None:
    """Remove the secrets now, unless another process uses them."""
    _give_back(environment_folder(environment))


def _give_back(folder: Path) -> None:
    descriptor = _borrowed.pop(folder, None)
    if descriptor is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder / SECRETS, ignore_errors=True)
    except BlockingIOError:  # the one that uses them removes them
        pass
    finally:
        os.close(descriptor)
