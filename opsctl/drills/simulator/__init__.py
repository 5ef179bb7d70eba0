"""The deterministic simulator: the production code of the order path on a virtual world.

`simulate` runs seeds, `replay` one plan. docs/simulator.md says what is simulated and what
must hold; docs/adr/0005-simulator.md why the whole app runs in it and not a model.
"""

from __future__ import annotations

from opsctl.drills.simulator.outcome import Simulation
from opsctl.drills.simulator.simulating import replay, simulate

__all__ = ["Simulation", "replay", "simulate"]
