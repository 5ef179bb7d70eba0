"""Processes of environments that end, whose state folder is gone: known by what they bear.

A runner that dies may take its disk with it, or its workspace is cleared, and supervisord with
all that it runs goes on. So an environment that ends is written into supervisord's own
variables, which every service inherits: its name, whose it is, its end, and its folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from opsctl.model.environment import Environment
from opsctl.model.ephemeral import Ephemeral
from opsctl.model.value import Value
from opsctl.targets import files
from opsctl.targets.local import account
from opsctl.targets.local.application import end_strays
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import (
    MARK,
    PROC,
    Process,
    children,
    environment_of,
    pids,
    process,
)

NAME, OWNER, EXPIRES, AT = (f"OPSCTL_EPHEMERAL_{what}" for what in ("NAME", "OWNER", "UNTIL", "AT"))


class Orphan(Value):
    """An environment of which processes run and nothing else is known."""

    environment: str
    identity: str
    ephemeral: Ephemeral
    root: Path
    """The folder that it had."""

    @property
    def where(self) -> str:
        """The place, for a reader."""
        return f"processes of this machine; {self.root} is gone"


def marks(environment: Environment, root: Path) -> dict[str, str]:
    """Return the variables that say of processes when they end; none for what stays."""
    of = environment.ephemeral
    if not of.owner:
        return {}
    return {NAME: environment.name, OWNER: of.owner, EXPIRES: of.expires, AT: str(root)}


def orphans() -> tuple[Orphan, ...]:
    """Return those of this user, by name; changes nothing."""
    found = {one.identity: one for one in map(_of, pids()) if one is not None}
    gone = (one for one in found.values() if _owner_of(one.root) != one.identity)
    return tuple(sorted(gone, key=lambda one: (one.environment, one.identity)))


def end(orphan: Orphan) -> None:
    """End every process of an orphan, and remove the sockets that these had.

    Supervisord first, which stops what it runs; whoever is left is told, then killed.

    Raises:
        OpsctlError: one does not end.
    """
    born = children()
    every = dict(_bearing(orphan.identity))
    todo = list(every)
    while todo:  # servers that set a title have overwritten their variables
        for child in born.get(todo.pop(), ()):
            if child not in every and (known := process(child)) is not None:
                every[child] = known
                todo.append(child)
    sockets = _sockets(every)
    top = [one for pid, one in every.items() if not any(pid in born.get(p, ()) for p in every)]
    end_strays(top)
    end_strays([one for one in every.values() if one.alive])
    for path in sockets:
        if path.is_socket():
            path.unlink(missing_ok=True)
    if not orphan.root.exists():  # else one that has the name by now uses it
        files.remove(Layout(orphan.root).run)


def _of(pid: int) -> Orphan | None:
    """Return what a process of this user says that it is of; None where it does not."""
    said = environment_of(pid)
    if AT not in said or not _ours(pid):
        return None
    try:
        ephemeral = Ephemeral(owner=said[OWNER], expires=said[EXPIRES])
        known = Orphan(
            environment=said[NAME], identity=said[MARK], ephemeral=ephemeral, root=Path(said[AT])
        )
    except (KeyError, ValidationError):
        return None
    return known if ephemeral.until is not None and process(pid) is not None else None


def _ours(pid: int) -> bool:
    """Return whether a process is this user's; root's are also those of its servers' account."""
    try:
        of = (PROC / str(pid)).stat().st_uid
    except OSError:
        return False
    servers = account.known() if os.geteuid() == 0 else None
    return of == os.geteuid() or (servers is not None and of == servers.uid)


def _owner_of(root: Path) -> str:
    """Return the identity of who has a folder now; empty where it is gone."""
    try:
        return Layout(root).identity.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _bearing(identity: str) -> Iterable[tuple[int, Process]]:
    for pid in pids():
        known = process(pid)
        if known is not None and _ours(pid) and environment_of(pid).get(MARK) == identity:
            yield pid, known


def _sockets(of: Mapping[int, Process]) -> list[Path]:
    """Return the files of the sockets that processes listen on."""
    held: set[str] = set()
    for pid in of:
        with contextlib.suppress(OSError):
            for descriptor in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    held.add(str(descriptor.readlink()))
    lines = (PROC / "net" / "unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    fields = (line.split(maxsplit=7) for line in lines)
    named = (each for each in fields if len(each) == 8 and f"socket:[{each[6]}]" in held)
    return [Path(each[7]) for each in named if each[7].startswith("/")]
