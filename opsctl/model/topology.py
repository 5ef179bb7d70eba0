"""The places of an environment and the links between them: pure.

A link is every connection of one kind that one place opens to another. On one machine all
of them go through the `network` app, so that a drill can cut each by itself; where sites
are on hosts of their own, their network is there to be cut.
"""

from __future__ import annotations

from itertools import permutations
from typing import Literal

from opsctl.model.environment import Environment, TargetName
from opsctl.model.value import Value

MARKET = "market"
"""Where the venue stands: outside every site of the firm."""
BETWEEN = "between"
"""Where the links between sites run; in no site, so that it falls with none."""

CARRIED = frozenset({TargetName.LOCAL, TargetName.DOCKER})
"""Targets whose places share a machine, so that an app has to stand in for their network."""

Kind = Literal["etcd", "journal", "peer", "fix"]


class Link(Value):
    """What one place opens to another.

    `etcd` from member to member, `journal` from a site's apps to another place's member,
    `peer` from execution app to execution app, `fix` from a site's apps to the venue.
    """

    dialer: str
    to: str
    kind: Kind

    @property
    def name(self) -> str:
        """The link's name: `a-b-etcd` is what a opens to b."""
        return f"{self.dialer}-{self.to}-{self.kind}"


def links(environment: Environment) -> tuple[Link, ...]:
    """Return the links that the `network` app carries; none where there is one site."""
    places, trading = environment.sites, environment.trading_sites
    if len(places) == 1 or environment.target not in CARRIED:
        return ()
    ends: tuple[tuple[Kind, tuple[tuple[str, str], ...]], ...] = (
        ("etcd", tuple(permutations(places, 2))),
        ("journal", tuple((a, b) for a in trading for b in places if a != b)),
        ("peer", tuple(permutations(trading, 2))),
        ("fix", tuple((site, MARKET) for site in trading)),
    )
    return tuple(Link(dialer=a, to=b, kind=kind) for kind, pairs in ends for a, b in pairs)
