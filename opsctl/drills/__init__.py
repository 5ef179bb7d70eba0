"""Drills: break a deployed environment on purpose, measure from outside, mend it, report.

`drill` runs a scenario once or repeatedly; `lift` lifts the faults of a drill that was
killed; `opsctl.unfinished` does so for every command that meets such an environment.
"""

from __future__ import annotations

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
