"""The links between the sites' execution apps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from opsctl.drills.simulator.site import Site
from opsctl.drills.simulator.world import World

LINK_S = 0.001
"""How long it takes until both ends know."""


class Links:
    """One link between two sites, as each end hears of it."""

    def __init__(self, world: World, sites: Mapping[str, Site]) -> None:
        """Begin with none."""
        self._world, self._sites = world, sites
        self._told: dict[str, Callable[[bool], None]] = {}

    def open(self, site: Site, changed: Callable[[str, bool], None]) -> None:
        """Open the link of a process to the other's, as far as both are there."""
        other = next(each for each in self._sites.values() if each is not site)
        loop = site.loop

        def tell(up: bool) -> None:
            if loop is not None and not loop.dead:
                loop.inside(lambda: changed(other.name, up))

        self._told[site.name] = tell
        if other.alive and other.name in self._told:
            self.all(True)

    def all(self, up: bool) -> None:
        """Let both ends hear that the link is up, or closed."""
        for tell in self._told.values():
            self._world.after(LINK_S, functools.partial(tell, up))

    def lose(self, site: Site) -> None:
        """Close the link of a process that is gone."""
        self._told.pop(site.name, None)
        self.all(False)
