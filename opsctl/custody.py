"""Custody of an environment: its lock and its state, where the environment lives.

The state of an environment that runs on this machine is a folder here, and the lock is the
kernel's. One that runs elsewhere has both with it, so that any machine can carry on: a
`Backend` holds them, and the folder of this machine is a copy. Under the lock the copy is
made equal to what the backend holds; what is written then is brought back by `keep` at each
point from which another command would have to continue, and at the end.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from opsctl.borrowed import SECRETS, USING, borrow
from opsctl.errors import Locked, OpsctlError
from opsctl.evidence.kept import FILE as HEADS
from opsctl.evidence.kept import forks as _forks
from opsctl.evidence.kept import kept, noted
from opsctl.model.value import Value
from opsctl.state import environment_folder

FORMAT = 1
"""The form of `State`; raised with every change that an older opsctl would misread."""
IDENTITY = "identity"
LIVES = "lives"
"""Says in a folder that it is a copy, and of what lies where."""
HERE = frozenset({"lock", LIVES, USING})
"""Files that are of this machine, and no part of the state."""
BENEATH = "infrastructure"
"""The folder of the stack that declares the hosts: it is beneath them, and outlives what they hold.

No host can keep what says how it is made, and gone with it.
"""

_logger = logging.getLogger(__name__)


class Holder(Value):
    """Who holds an environment, since when, doing what."""

    pid: int
    host: str
    user: str
    since: datetime
    command: str

    def refusal(self, environment: str, *, elsewhere: str = "") -> Locked:
        """Return the error for whoever else wants the environment; `elsewhere` has the lock."""
        where = f" by a lock in {elsewhere}" if elsewhere else ""
        return Locked(
            f"{environment} is held by `{self.command}` (pid {self.pid} of {self.user} "
            f"on {self.host}) since {self.since:%Y-%m-%dT%H:%M:%SZ}{where}",
            hint=f"wait until it ends, or stop it with `kill {self.pid}`"
            f"{f' on {self.host}' if elsewhere else ''}; "
            "the lock of a process that died is no obstacle",
        )


class State(Value):
    """The state of an environment, as it lies with it: the files of its folder.

    `counter` grows with every writing, so that of several copies the newest is known.
    """

    format: int = FORMAT
    counter: int
    at: datetime
    by: str
    """Who wrote it: user and host."""
    files: dict[str, str]
    """By path within the environment's folder."""

    @property
    def identity(self) -> str:
        """The environment's UUID; empty before its first deploy has chosen one."""
        return self.files.get(IDENTITY, "").strip()


class Session(Protocol):
    """A held lock, and the state that is written under it only."""

    @property
    def state(self) -> State | None:
        """The state as it was found or last written; None where there is none."""
        ...

    def put(self, files: Mapping[str, str]) -> None:
        """Replace the state; durable when this returns, and whole at any moment.

        Raises `OpsctlError` where the lock is lost and cannot be taken again as it was.
        """
        ...

    def check(self) -> None:
        """Return while the lock is held; take it again as it was, or raise, as `put` does."""
        ...

    def drop(self) -> None:
        """Remove the state: the environment is gone."""
        ...

    def release(self) -> None:
        """Give the lock up."""
        ...


class Backend(Protocol):
    """Where the lock and the state of an environment are; every method may raise `OpsctlError`."""

    @property
    def where(self) -> str:
        """The place, for a reader."""
        ...

    def read(self) -> State | None:
        """Return the state, without the lock; None where there is none."""
        ...

    def holder(self) -> Holder | None:
        """Return who holds the lock now; None where nobody does."""
        ...

    def left(self) -> frozenset[str]:
        """Return the identities that anything of this environment's name bears there."""
        ...

    def acquire(self, me: Holder) -> Session:
        """Take the lock; raise `Locked`, which names the holder, where another has it."""
        ...


_sessions: dict[str, Session] = {}
_others: dict[str, Holder] = {}


def keep(environment: str) -> None:
    """Bring what was written of an environment to where it lives; durable when this returns.

    Nothing where it lives in this machine's folder, or this process does not hold it.
    """
    if (session := _sessions.get(environment)) is not None:
        session.put(_whole(environment, session))


def check(environment: str) -> None:
    """Return while this process holds an environment where it lives; raise `Locked` else.

    Between two steps of a change: who has lost the lock, and was overtaken, takes none.
    """
    if (session := _sessions.get(environment)) is not None:
        session.check()


def _whole(environment: str, session: Session) -> dict[str, str]:
    """Return the files of the copy, and every secret: none is lost for being removed here."""
    files = collect(environment)
    known = session.state.files if session.state is not None and IDENTITY in files else {}
    return {p: text for p, text in known.items() if p.startswith(f"{SECRETS}/")} | files


def lend(environment: str, open_backend: Callable[[], Backend | None]) -> None:
    """Have the secrets of an environment here that lives elsewhere, where they are not."""
    folder = environment_folder(environment)
    if not is_copy(environment) or environment in _sessions:
        return
    borrow(environment)
    backend = None if (folder / SECRETS).exists() else open_backend()
    found = backend.read() if backend is not None else None
    if found is not None and found.identity == _read(folder / IDENTITY).strip():
        for path, text in found.files.items():
            if path.startswith(f"{SECRETS}/"):
                _write(folder / path, text)


def elsewhere(environment: str) -> bool:
    """Return whether this process holds an environment whose state lives elsewhere."""
    return environment in _sessions


def held_by_another(environment: str) -> bool:
    """Return whether another machine held the lock when `refresh` last looked."""
    return environment in _others


@contextlib.contextmanager
def held(environment: str, backend: Backend, me: Holder) -> Iterator[None]:
    """Hold an environment where it lives, with its state in this machine's folder meanwhile.

    This machine's own lock must be held. Raises as `Backend.acquire` and `take_over`.
    """
    session = backend.acquire(me)
    try:
        borrow(environment)
        take_over(environment, session.state, backend)
        _write(environment_folder(environment) / LIVES, f"{backend.where}\n")
        _sessions[environment] = session
        try:
            yield
        except BaseException as error:
            try:
                _bring_back(environment, session)
            except (OpsctlError, OSError) as fault:
                error.add_note(f"the state could not be brought to {backend.where}: {fault}")
                _logger.exception("the state could not be brought back")
            raise
        else:
            _bring_back(environment, session)
        finally:
            del _sessions[environment]
    finally:
        session.release()


def forks(environment: str) -> tuple[str, ...]:
    """Return where this machine's evidence is not what the environment was told of it, in words."""
    heads = kept(environment_folder(environment))
    return tuple(one.detail for one in _forks(heads, f"the head that {environment} keeps"))


def _bring_back(environment: str, session: Session) -> None:
    folder = environment_folder(environment)
    if (folder / IDENTITY).exists():
        _write(folder / HEADS, noted(kept(folder)))
    files = _whole(environment, session)
    told = set(files) - {IDENTITY, HEADS}
    if IDENTITY in files and (told or session.state is not None):
        session.put(files)
    else:  # destroyed, or never deployed
        session.drop()
        forget(environment)


def is_copy(environment: str) -> bool:
    """Return whether this machine's folder is a copy, of an environment that lives elsewhere."""
    return (environment_folder(environment) / LIVES).exists()


def forget(environment: str) -> None:
    """Remove this machine's copy of an environment."""
    _forget(environment_folder(environment))
    disown(environment)


def disown(environment: str) -> None:
    """Say no longer that this machine's folder is a copy: there is nothing that it copies."""
    for name in (LIVES, USING):
        (environment_folder(environment) / name).unlink(missing_ok=True)


def refresh(
    environment: str, backend: Backend, lock: contextlib.AbstractContextManager[bool]
) -> None:
    """Make this machine's copy equal to what the backend has, without its lock.

    `lock` is this machine's, and says whether it could be had: while another process here
    holds the environment, the copy is ahead and is left alone.
    """
    folder = environment_folder(environment)
    if (folder / IDENTITY).exists() and not is_copy(environment):
        return  # it is this machine's own
    found, by = backend.read(), backend.holder()
    _others.pop(environment, None)
    if by is not None and environment not in _sessions:
        _others[environment] = by
    if found is None and not folder.is_dir() and not backend.left():
        return
    with lock as mine:
        borrow(environment)
        if mine:
            take_over(environment, found, backend)
            if (folder / IDENTITY).exists():
                _write(folder / LIVES, f"{backend.where}\n")


def take_over(environment: str, found: State | None, backend: Backend) -> None:
    """Make this machine's copy of an environment equal to its state.

    Where there is none, what this machine knows stays if something of its identity is there (it
    was killed before it wrote), and is forgotten if not: another machine has destroyed it.

    Raises:
        OpsctlError: what bears the name there, or here, is another environment.
    """
    folder = environment_folder(environment)
    mine = _read(folder / IDENTITY).strip()
    if mine and not is_copy(environment):
        raise OpsctlError(
            f"{environment} lives on this machine, in {folder}, and cannot move to {backend.where}",
            hint=f"destroy it first (opsctl destroy {environment} --target local), or give the "
            "new one another name",
        )
    theirs = {found.identity} - {""} if found is not None else set(backend.left())
    if mine and theirs and mine not in theirs:
        raise OpsctlError(
            f"{environment} in {backend.where} is another environment (identity "
            f"{', '.join(sorted(theirs))}{_written(found)}) than the one that this machine knows "
            f"({mine})",
            hint="give yours another name; where it is the same one, destroyed and deployed again "
            f"by another machine, forget the old one: opsctl env forget {environment}",
        )
    if found is None:
        if not theirs:
            forget(environment)
        elif not mine:  # of a state that was lost: what is left can be destroyed by its name
            _write(folder / IDENTITY, f"{min(theirs)}\n")
        return
    for path, text in found.files.items():
        if _read(folder / path) != text:
            _write(folder / path, text)
    for path in set(_files(folder)) - set(found.files):
        _remove(folder, path)


def collect(environment: str) -> dict[str, str]:
    """Return the files of this machine's copy, by path."""
    folder = environment_folder(environment)
    return {path: (folder / path).read_text(encoding="utf-8") for path in _files(folder)}


def _written(found: State | None) -> str:
    return f", written {found.at:%Y-%m-%dT%H:%M:%SZ} by {found.by}" if found else ""


def _files(folder: Path) -> list[str]:
    """Return what belongs to the state: all but the lock, drafts, and what is beneath hosts."""
    if not folder.is_dir():
        return []
    paths = (path for path in folder.rglob("*") if path.is_file())
    named = sorted(str(path.relative_to(folder)) for path in paths if not path.name.startswith("."))
    beneath = f"{BENEATH}/"
    return [
        name
        for name in named
        if name not in HERE and not name.startswith(beneath) and not name.endswith(".new")
    ]


def _forget(folder: Path) -> None:
    for path in _files(folder):
        _remove(folder, path)


def _remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that are empty then."""
    (folder / path).unlink(missing_ok=True)
    for above in (folder / path).relative_to(folder).parents[:-1]:
        with contextlib.suppress(OSError):  # it holds others
            (folder / above).rmdir()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    from opsctl.targets.files import folder, write

    folder(path.parent)
    write(path, text)
