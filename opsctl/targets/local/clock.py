"""A wall clock of its own for one process, by libfaketime: in the script that starts it; pure.

The library stands before libc and shifts the wall clock; the monotonic clock and the times of
files stay true. It is there only while a clock is off: nothing is measured under it otherwise.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from opsctl.targets.faketime import variables

BEGIN, END = "# A drill has set this clock.\n", "# The drill's clock ends here.\n"


def true(script: str) -> str:
    """Return a start script that leaves the clock as it is."""
    before, begins, rest = script.partition(BEGIN)
    return before + rest.partition(END)[2] if begins else script


def shifted(script: str, preload: Path, shift_s: float) -> str:
    """Return a start script whose process sees a wall clock that is so many seconds off."""
    before, found, after = true(script).rpartition("exec ")
    settings = variables(str(preload), shift_s)
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    return f"{before}{BEGIN}{lines}{END}{found}{after}"
