"""One site of a simulated run."""

from __future__ import annotations

from opsctl.drills.simulator.process import Simulated, SiteBus
from opsctl.drills.simulator.store import Client
from opsctl.drills.simulator.world import Loop


class Site:
    """One site: its bus outlives its processes."""

    def __init__(self, name: str) -> None:
        """Begin with an empty bus and no process."""
        self.name = name
        self.bus = SiteBus()
        self.loop: Loop | None = None
        self.app: Simulated | None = None
        self.client: Client | None = None
        self.starts = 0
        self.skew_ns = 0
        """How far the site's time of day is ahead."""

    @property
    def alive(self) -> bool:
        """Whether a process is there."""
        return self.loop is not None and not self.loop.dead
