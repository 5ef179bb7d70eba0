"""One opsctl at a time works on a box; what a killed one left is found by the next.

On this machine the lock is the kernel's, so that it ends with its process however that dies;
between machines the claim that lies on the box is what keeps others away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from opsctl.custody import Holder
from opsctl.deploy.files import write_whole
from opsctl.errors import Locked, OpsctlError
from opsctl.evidence.runs import alive, who
from opsctl.model.value import Value
from opsctl.provision import places


class Underway(Value):
    """A change of a box that has begun."""

    run: str
    command: str
    stage: str
    at: datetime


@contextlib.contextmanager
def held(names: Iterable[str], command: str) -> Iterator[None]:
    """Hold boxes for the duration of a `with`; raise `Locked` where another holds one of them."""
    with contextlib.ExitStack() as stack:
        for name in sorted(names):
            stack.enter_context(_one(name, command))
        yield


@contextlib.contextmanager
def _one(name: str, command: str) -> Iterator[None]:
    path = places.of_host(name) / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OpsctlError(
            f"the state folder {path.parent} cannot be written: {error.strerror}",
            hint="free its disk, or set OPSCTL_STATE to a folder that you may write",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(name, descriptor) from None
        me = Holder(
            pid=os.getpid(),
            host=socket.gethostname(),
            user=who(),
            since=datetime.now(UTC),
            command=command,
        )
        content = me.model_dump_json().encode()
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _locked(name: str, descriptor: int) -> Locked:
    try:
        holder = Holder.model_validate_json(os.pread(descriptor, 65_536, 0))
    except ValidationError:
        return Locked(
            f"{name} is held by another opsctl, which has not said who it is",
            hint="try again in a moment",
        )
    return holder.refusal(name)


def begin(name: str, run: str, command: str, stage: str) -> None:
    """Note that a run is about to change a box, and how far it is."""
    underway = Underway(run=run, command=command, stage=stage, at=datetime.now(UTC))
    write_whole(places.of_host(name) / "underway.json", underway.model_dump_json() + "\n")


def end(name: str) -> None:
    """Note that the change of a box came to its end."""
    (places.of_host(name) / "underway.json").unlink(missing_ok=True)


def left(name: str) -> Underway | None:
    """Return the change of a box that a dead run left unfinished; None where there is none."""
    try:
        text = (places.of_host(name) / "underway.json").read_text(encoding="utf-8")
        found = Underway.model_validate_json(text)
    except (FileNotFoundError, ValidationError):
        return None
    return None if alive(found.run) else found


def unfinished(name: str) -> str:
    """Return what a dead run left unfinished at a box, for a reader; empty where nothing."""
    found = left(name)
    if found is None:
        return ""
    return (
        f"unfinished: {found.command} of {name} at {found.at:%Y-%m-%dT%H:%M:%SZ} "
        f"(run {found.run}) did not come to its end; opsctl provision {name} continues"
    )
