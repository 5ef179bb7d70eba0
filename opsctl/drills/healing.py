"""Lifting the faults of a drill that was killed: for whichever command comes next."""

from __future__ import annotations

from collections.abc import Callable

from opsctl.drills import underway
from opsctl.drills.faults import Faults
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.targets.base import Target


def lift(
    environment: Environment,
    open_target: Callable[[Environment], Target],
    say: Callable[[str], None],
) -> str:
    """Lift what a drill left standing; return what was lifted, empty where that was nothing.

    The environment's lock must be held: a drill that lives holds it, and its faults are its own.
    """
    left = underway.read(environment.name)
    if left is None:
        return ""
    try:
        Faults(environment, open_target(environment)).lift(left)
    except OpsctlError as fault:
        say(f"faults of drill run {left.run} could not be lifted yet: {fault.message}")
        return ""
    underway.clear(environment.name)
    lifted = f"lifted what drill {left.scenario} (run {left.run}) left standing when it was killed"
    say(f"healed: {lifted}")
    return lifted
