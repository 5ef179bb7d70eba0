"""The lock of an environment: one opsctl at a time changes it.

On one machine the lock is the kernel's (`flock` on a file of the environment's folder), so that
it ends with its process however that dies; what the file says is for the reader of `Locked` only.
Where an environment lives elsewhere, its backend has a lock as well, which is taken after it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from opsctl import custody
from opsctl.custody import Backend, Holder
from opsctl.errors import Locked, OpsctlError
from opsctl.evidence.runs import who
from opsctl.state import environment_folder

WRITING_S = 0.2
"""How long a reader waits for a holder that has locked and not yet written who it is."""


class Lock:
    """A held lock."""

    def __init__(self, path: Path) -> None:
        """Name the locked file."""
        self._path = path

    def remove(self) -> None:
        """Remove the lock's file while it is held: the environment is gone.

        One that waits for this file sees that it is no longer the one at the path, and
        starts over.
        """
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def held(environment: str, command: str, backend: Backend | None = None) -> Iterator[Lock]:
    """Hold an environment for the duration of a `with`; raise `Locked` where another does.

    Where it lives elsewhere (`backend`), this machine's folder is its state meanwhile.
    """
    path = environment_folder(environment) / "lock"
    try:
        descriptor = _acquire(path, environment)
    except OSError as fault:
        raise _unwritable(path, fault) from fault
    try:
        me = _myself(command)
        try:
            _write(descriptor, me)
        except OSError as fault:
            raise _unwritable(path, fault) from fault
        if backend is None:
            yield Lock(path)
        else:
            with custody.held(environment, backend, me):
                yield Lock(path)
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


@contextlib.contextmanager
def idle(environment: str) -> Iterator[bool]:
    """Keep every other opsctl of this machine from an environment; say whether none held it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(environment, "opsctl, which looks where it lives"))
        except Locked:
            yield False
        else:
            yield True


def _unwritable(path: Path, fault: OSError) -> OpsctlError:
    return OpsctlError(
        f"the state folder {path.parent} cannot be written: {fault.strerror}",
        hint="act as the user that owns it, free some space, or name another folder in "
        "OPSCTL_STATE",
    )


def _acquire(path: Path, environment: str) -> int:
    """Return a descriptor of the file that is at the path now, locked."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # a destroy removed the folder just now
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                raise _locked(environment, descriptor) from None
            finally:
                os.close(descriptor)
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _myself(command: str) -> Holder:
    return Holder(
        pid=os.getpid(),
        host=socket.gethostname(),
        user=who(),
        since=datetime.now(UTC),
        command=command,
    )


def _write(descriptor: int, holder: Holder) -> None:
    content = holder.model_dump_json().encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))


def _read(descriptor: int) -> Holder | None:
    """Return who wrote the file; None where that is not (yet) a whole record."""
    deadline = time.monotonic() + WRITING_S
    while True:
        try:
            return Holder.model_validate_json(os.pread(descriptor, 65_536, 0))
        except ValidationError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)


def _locked(environment: str, descriptor: int) -> Locked:
    holder = _read(descriptor)
    if holder is None:
        return Locked(
            f"{environment} is held by another opsctl, which has not said who it is",
            hint="try again in a moment",
        )
    return holder.refusal(environment)
