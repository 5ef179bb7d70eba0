"""Which ephemeral environments there are: by records, by labels in an engine, by processes.

A record says all of an environment; one that lives in an engine is first made equal to what that
has. Where there is none (its runner died with its state folder, or another machine made it), its
labels say whose it is and when it ends, and its state, if it got so far, lies beside it. Processes
of this machine say it by their variables.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from opsctl import custody
from opsctl.custody import State
from opsctl.deploy import identity, lock, records
from opsctl.deploy.records import Deployment, InProgress
from opsctl.errors import OpsctlError
from opsctl.infra import ending
from opsctl.model.environment import Environment, TargetName
from opsctl.model.ephemeral import Ephemeral
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.value import Value
from opsctl.state import state_root
from opsctl.targets import find_backend, marked_here, open_backend, orphans_here
from opsctl.targets.local.orphans import Orphan


class Found(Value):
    """An ephemeral environment, as far as anything is known of it."""

    environment: Environment
    identity: str
    """Its UUID; empty where it was killed before it had one."""
    where: str
    orphan: Orphan | None = None
    """Its processes, where they are all that is left of it."""
    resources: tuple[str, ...] = ()
    """What a cloud has of it, where its tags are all that is known here."""


class Looked(Value):
    """What was found, and which engine could not be asked, with the reason."""

    found: tuple[Found, ...]
    orphans: tuple[Found, ...] = ()
    """Those of which nothing but processes is left; they keep no name from another."""
    unreachable: tuple[str, ...] = ()


def look() -> Looked:
    """Return every ephemeral environment of this machine's state folder and of its engine."""
    here = {one.environment.name: one for one in _recorded()}
    unreachable = []
    try:
        marked = marked_here()
    except OpsctlError as fault:
        marked = ()
        if os.environ.get("DOCKER_HOST"):  # an engine that nobody has named need not be there
            unreachable.append(fault.message)
    for one in marked:
        if one.environment not in here:
            here[one.environment] = _marked(one.environment, one.ephemeral, one.identity, one.where)
    return Looked(
        found=tuple(here[name] for name in sorted(here)),
        orphans=tuple(map(_orphaned, orphans_here())),
        unreachable=tuple(unreachable),
    )


def _recorded() -> Iterator[Found]:
    """Yield those of which this machine has a record."""
    folder = state_root() / "environments"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        known = None
        with contextlib.suppress(OpsctlError):  # damaged, or a newer opsctl's: not ours to judge
            known = ending.noted(path.name) or _as_it_stands(records.environment(path.name))
        if known is not None and known.ephemeral.owner:
            yield Found(
                environment=known, identity=identity.known(path.name) or "", where=str(path)
            )


def _as_it_stands(known: Environment | None) -> Environment | None:
    """Return what a record is of, as its engine has it: another machine may have reaped it.

    An engine that does not answer leaves it as it was written down.
    """
    if known is None or not known.ephemeral.owner or not custody.is_copy(known.name):
        return known
    name, mine = known.name, identity.known(known.name)
    try:
        backend = open_backend(known)
        if backend is None:
            return known
        theirs = backend.left()
        with lock.idle(name) as free:
            if free and mine and theirs and mine not in theirs:  # the name is another's by now
                custody.forget(name)
        custody.refresh(name, backend, lock.idle(name))
    except OpsctlError:
        return known
    return records.environment(name)


def _marked(name: str, ephemeral: Ephemeral, known_as: str, where: str) -> Found:
    """Return what an engine has, as its state says, else by its labels alone."""
    whole = None
    with contextlib.suppress(OpsctlError):
        whole = of_state(find_backend(name).read())
    environment = whole or _by_name(name, TargetName.DOCKER, ephemeral)
    return Found(environment=environment, identity=known_as, where=where)


def _orphaned(one: Orphan) -> Found:
    environment = _by_name(one.environment, TargetName.LOCAL, one.ephemeral)
    return Found(environment=environment, identity=one.identity, where=one.where, orphan=one)


def _by_name(name: str, target: TargetName, ephemeral: Ephemeral) -> Environment:
    """Return an environment of which no more is known; what its tiers were changes nothing."""
    return Environment(
        name=name, tier=LatencyTier.WEEKLY, dr=DrTier.COLD, target=target, ephemeral=ephemeral
    )


def of_state(state: State | None) -> Environment | None:
    """Return the environment that a state is of; None where it does not say."""
    for name, kind in (("applied.json", Deployment), ("in_progress.json", InProgress)):
        if state is not None and name in state.files:
            record: Deployment | InProgress = kind.model_validate_json(state.files[name])
            return record.environment
    return None


def take_over(name: str) -> None:
    """Have what an engine holds of an environment here, so that it can be destroyed."""
    custody.refresh(name, find_backend(name), lock.idle(name))


def folder_of(name: str) -> Path:
    """Return where this machine has an environment."""
    return state_root() / "environments" / name
