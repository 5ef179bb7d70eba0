"""A firm with a rack: a project whose servers are boxes of a fleet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from opsctl.model.tiers import LatencyTier
from tests.support.cloud_host import engine_in
from tests.support.fleet import USER, Fleet, Kind, fleet
from tests.support.process import folder
from tests.support.project import PROFILE, Project
from tests.support.second_host import Namespaced

SITES = {
    "ny4": {"site": "a", "place": "NY4, cage 12"},
    "ld4": {"site": "b", "place": "LD4, cage 3"},
    "office": {"site": "witness", "place": "office"},
}
"""Racks of two sites that trade and a witness, by name."""


@dataclass
class Rack(Project):
    """The project's folder, its state, and the boxes."""

    fleet: Fleet
    more: dict[str, object] = field(default_factory=dict)
    """Further settings of `trading:onprem`."""

    def write(self, name: str = "rack", *, off: Mapping[str, str] | None = None) -> None:
        """Write the environment's file, of one site, and the firm's profile."""
        self.put_profile(LatencyTier.WEEKLY, off)
        servers = {
            box.name: {"rack": "r1", "role": "trading" if number == 0 else "spare"}
            for number, box in enumerate(self.fleet.boxes)
        }
        racks = {"r1": {"site": "a", "place": "room 1"}}
        self.put_rack(name, racks, servers, tier="weekly", dr="cold")

    def put_rack(
        self,
        name: str,
        racks: Mapping[str, object],
        servers: Mapping[str, Mapping[str, object]],
        **settings: object,
    ) -> None:
        """Write the file of an environment of racks, and of servers that are boxes of the fleet."""
        reached = {
            box.name: {"address": box.address, "host_key": box.host_key, "profile": PROFILE}
            for box in self.fleet.boxes
        }
        onprem = {
            "owner": "platform",
            "user": USER,
            "key": str(self.fleet.home / "user"),
            "racks": dict(racks),
            "servers": {each: {**reached[each], **one} for each, one in servers.items()},
            **self.more,
        }
        said = {"target": "docker", "infrastructure": "onprem", "onprem": onprem}
        self.put(name, {"format": 1, **settings, **said})


@contextlib.contextmanager
def racked(
    racks: Mapping[str, object], **settings: object
) -> Iterator[tuple[Rack, list[Namespaced]]]:
    """Yield a firm with a server in each rack, on which nothing was deployed, and their engines.

    Its file is of an environment `rack` of the daily tier, with these settings.
    """
    with (
        fleet([Kind(taken=True)] * len(racks)) as boxes,
        folder() as home,
        contextlib.ExitStack() as stack,
    ):
        made = Rack(home / "firm", boxes)
        made.put_profile(LatencyTier.DAILY)
        servers = {box.name: {"rack": at} for box, at in zip(boxes.boxes, racks, strict=True)}
        made.put_rack("rack", racks, servers, tier="daily", **settings)
        yield made, [stack.enter_context(engine_in(box)) for box in boxes.boxes]
