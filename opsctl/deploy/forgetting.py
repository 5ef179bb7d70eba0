"""Forgetting an environment: what this machine has of it is a copy, and is removed."""

from __future__ import annotations

import re

from opsctl import custody
from opsctl.deploy import identity
from opsctl.deploy.lock import held
from opsctl.errors import UsageError
from opsctl.model.results import EnvironmentForgotten
from opsctl.state import environment_folder


def forget(name: str) -> EnvironmentForgotten:
    """Remove this machine's copy of an environment; return what it was a copy of.

    Raises:
        UsageError: it lives on this machine.
        Locked: another opsctl of this machine works on it.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise UsageError(f"{name!r} can name no environment", hint="opsctl env list")
    if not environment_folder(name).is_dir():
        return EnvironmentForgotten(environment=name, identity="")
    with held(name, f"opsctl env forget {name}") as lock:
        known = identity.known(name) or ""
        if known and not custody.is_copy(name):
            raise UsageError(
                f"{name} lives on this machine, in {environment_folder(name)}",
                hint=f"opsctl destroy {name} stops it and removes it",
            )
        custody.forget(name)
        lock.remove()
    return EnvironmentForgotten(environment=name, identity=known)
