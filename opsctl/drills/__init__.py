"""Drills: break a deployed environment on purpose, measure from outside, mend it, report.

`drill` runs a scenario once or repeatedly; `lift` lifts the faults of a drill that was
killed; `opsctl.unfinished` does so for every command that meets such an environment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opsctl.drills.healing import lift
    from opsctl.drills.outcome import Drilled, Scenarios, Series
    from opsctl.drills.scenario import Scenario, checked, described, load, names
    from opsctl.drills.series import drill

__all__ = [
    "Drilled",
    "Scenario",
    "Scenarios",
    "Series",
    "checked",
    "described",
    "drill",
    "lift",
    "load",
    "names",
]

_MODULES = {
    "healing": ("lift",),
    "outcome": ("Drilled", "Scenarios", "Series"),
    "scenario": ("Scenario", "checked", "described", "load", "names"),
    "series": ("drill",),
}


def __getattr__(name: str) -> object:
    """Return a public name, imported when it is asked for.

    The client of a drill is a module of this package, and starts beside those who trade:
    what it does not need takes none of their time.
    """
    for module, known in _MODULES.items():
        if name in known:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
