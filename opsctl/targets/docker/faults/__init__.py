"""What drills break in an engine and beneath it, and how each is seen to be whole again."""

from __future__ import annotations

from opsctl.targets.docker.faults import clock, disk, freezing
from opsctl.targets.docker.faults.ground import Ground

__all__ = ["Ground", "clock", "disk", "freezing"]
