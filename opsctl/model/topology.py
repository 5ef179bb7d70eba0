"""The places of an environment and the links between them: pure.

A link is every connection of one kind that one place opens to another. On one machine all
of them go through the `network` app, so that a drill can cut each by itself. Of several
Docker hosts each has one of its own: it carries what the places of its host dial, and what
goes to another host it hands to that host's, by mutual TLS. It is also the one way out of a
site of containers: to a database that others run, and to nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Literal

from opsctl.model.environment import Environment, TargetName
from opsctl.model.hosts import MARKET, apart, host_of
from opsctl.model.value import Value

__all__ = ["BETWEEN", "CARRIED", "MARKET", "OUTSIDE", "Kind", "Link", "links", "relay_of", "relays"]

BETWEEN = "between"
"""Where the links between sites run; in no site, so that it falls with none."""

OUTSIDE = "outside"
"""What is no place of the environment: where others run what it uses."""

CARRIED = frozenset({TargetName.LOCAL, TargetName.DOCKER})
"""Targets whose links an app carries."""

Kind = Literal["etcd", "journal", "peer", "fix", "books"]


class Link(Value):
    """What one place opens to another.

    `etcd` from member to member, `journal` from a site's apps to another place's member,
    `peer` from execution app to execution app, `fix` from a site's apps to the venue, `books`
    from a site's apps to the PostgreSQL that others run.
    """

    dialer: str
    to: str
    kind: Kind

    @property
    def name(self) -> str:
        """The link's name: `a-b-etcd` is what a opens to b."""
        return f"{self.dialer}-{self.to}-{self.kind}"

    @property
    def leaves(self) -> bool:
        """Whether it leads out of the environment, from the host of who dials."""
        return self.to == OUTSIDE


def links(environment: Environment) -> tuple[Link, ...]:
    """Return the links that the `network` app carries.

    Where there is one site, none between places, unless the venue is on another host than it.
    """
    if environment.target not in CARRIED:
        return ()
    return (*_between(environment), *_out(environment))


def _between(environment: Environment) -> Iterator[Link]:
    places, trading = environment.sites, environment.trading_sites
    if len(places) == 1 and not apart(environment):
        return
    ends: tuple[tuple[Kind, tuple[tuple[str, str], ...]], ...] = (
        ("etcd", tuple(permutations(places, 2))),
        ("journal", tuple((a, b) for a in trading for b in places if a != b)),
        ("peer", tuple(permutations(trading, 2))),
        ("fix", tuple((site, MARKET) for site in trading)),
    )
    yield from (Link(dialer=a, to=b, kind=kind) for kind, pairs in ends for a, b in pairs)


def _out(environment: Environment) -> Iterator[Link]:
    """Yield what leads out of sites whose network has no other way out."""
    if environment.target is TargetName.DOCKER:
        for site in environment.books:
            yield Link(dialer=site, to=OUTSIDE, kind="books")


def relay_of(environment: Environment, place: str) -> str:
    """Return the place of the `network` app that carries what a place dials."""
    return host_of(environment, place).relay if apart(environment) else BETWEEN


def relays(environment: Environment) -> tuple[str, ...]:
    """Return the places of every `network` app: one, or one a host; none without links."""
    dialers = (*environment.sites, MARKET) if links(environment) else ()
    return tuple(dict.fromkeys(relay_of(environment, place) for place in dialers))
