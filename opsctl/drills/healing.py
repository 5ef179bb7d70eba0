"""Lifting the faults of a drill that was killed: for whichever command comes next."""

from __future__ import annotations

from collections.abc import Callable

from opsctl.deploy.lock import held
from opsctl.drills import underway
from opsctl.drills.faults import Faults
from opsctl.errors import Locked, OpsctlError
from opsctl.model.environment import Environment
from opsctl.targets.base import Target


def heal(
    environment: Environment,
    open_target: Callable[[Environment], Target],
    say: Callable[[str], None],
) -> bool:
    """Lift what a drill left standing; return whether there was anything to lift.

    A drill that lives holds the environment's lock, and its faults are its own.
    """
    if underway.read(environment.name) is None:
        return False
    try:
        with held(environment.name, "heal"):
            left = underway.read(environment.name)
            if left is None:
                return False
            try:
                Faults(environment, open_target(environment)).lift(left)
            except OpsctlError as fault:
                say(f"faults of drill run {left.run} could not be lifted yet: {fault.message}")
                return False
            underway.clear(environment.name)
    except Locked:
        return False
    say(f"lifted what drill {left.scenario} (run {left.run}) left standing when it was killed")
    return True
