"""Taking back what a drill broke, again and again until it is seen to be whole."""

from __future__ import annotations

import time

from opsctl.drills import underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.faults import Faults
from opsctl.drills.steady import STEADY_S, unsteady
from opsctl.drills.timeline import Say
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError

MEND_S = 60.0
"""How long faults that cannot be lifted are tried again."""
TRIED_S = 10.0
"""The same of faults that an earlier drill, and commands since, could not lift."""
AGAIN_S = 1.0


def lifted(faults: Faults, standing: Underway, say: Say, *, within_s: float) -> str:
    """Lift faults until it succeeds; return what still stands when time is over, else nothing.

    What stands in the way is said once, not at every try.
    """
    deadline = time.monotonic() + within_s
    said = ""
    while True:
        try:
            faults.lift(standing)
        except OpsctlError as fault:
            if fault.message != said:
                said = fault.message
                say(f"{said}: trying again")
        else:
            return ""
        if time.monotonic() >= deadline:
            return said
        time.sleep(AGAIN_S)


def mended(accounts: Accounts, left: Underway, say: Say) -> str:
    """Mend what an earlier drill left; return what is still broken, empty where nothing is.

    The note of what it left stays until the environment was seen steady again.
    """
    faults = Faults(accounts.environment, accounts.target)
    broken = lifted(faults, left, say, within_s=TRIED_S)
    if not broken and (why := unsteady(accounts, STEADY_S)):
        broken = f"not steady: {'; '.join(why)}"
    if broken:
        return broken
    underway.clear(accounts.environment.name)
    say(f"lifted what run {left.run} left standing")
    return ""
