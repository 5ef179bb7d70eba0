"""Which network each site has, and which part of it each kind of subnet. Pure.

A site's share is the same whatever other sites there are, so that a change of the
disaster-recovery tier moves none.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

from opsctl.model.aws import INSIDE, SITES, AwsSettings
from opsctl.model.value import Value
from stacks.aws.refused import Reason, Refused

FIRST_HOST = 10
"""AWS keeps the first four addresses of a subnet, and some are left for people's tools."""


class Share(Value):
    """The network of a site, and its parts."""

    site: str
    vpc: str
    hosts: str
    database: tuple[str, str]
    """In two zones: a managed database takes no fewer."""
    public: str
    """Of the NAT gateway alone; no host is in it."""

    def address(self, index: int) -> str:
        """Return the address of a host, the first being 0."""
        network = IPv4Network(self.hosts)
        return str(IPv4Address(int(network.network_address) + FIRST_HOST + index))


class CidrPlan(Value):
    """The networks of all sites; made only where none overlaps another."""

    shares: tuple[Share, ...]

    def share(self, site: str) -> Share:
        """Return what a site has."""
        return next(one for one in self.shares if one.site == site)


def cidr_plan(settings: AwsSettings, sites: tuple[str, ...]) -> CidrPlan:
    """Return the networks of the sites. Refused: two overlap, or one is the firm's own."""
    networks = {site: _network(settings, site) for site in sites}
    reasons = tuple(_overlaps(settings, networks))
    if reasons:
        raise Refused(reasons)
    return CidrPlan(shares=tuple(_share(site, one) for site, one in networks.items()))


def _network(settings: AwsSettings, site: str) -> IPv4Network:
    said = {str(place): cidr for place, cidr in settings.cidrs.items()}.get(site)
    if said is not None:
        return IPv4Network(said)
    whole = IPv4Network(settings.cidr)
    length = min(max(whole.prefixlen + 4, 16), 22)
    step = 1 << (32 - length)
    return IPv4Network((int(whole.network_address) + SITES.index(site) * step, length))


def _overlaps(settings: AwsSettings, networks: dict[str, IPv4Network]) -> Iterator[Reason]:
    said = {str(place) for place in settings.cidrs}

    def setting(site: str) -> tuple[str, ...]:
        return ("aws", "cidrs", site) if site in said else ("aws", "cidr")

    for (one, network), (other, network2) in combinations(networks.items(), 2):
        if network.overlaps(network2):
            where = setting(other if other in said else one)
            yield (
                where,
                (
                    f"site {one} ({network}) and site {other} ({network2}) overlap: "
                    "hosts of one could not reach the other; give one another network"
                ),
            )
    for site, network in networks.items():
        for own in settings.reserved:
            if network.overlaps(IPv4Network(own)):
                yield (
                    setting(site),
                    (
                        f"site {site} ({network}) overlaps {own}, which the firm has reserved "
                        "(aws.reserved): give it another network"
                    ),
                )
        for inside, whose in INSIDE.items():
            if network.overlaps(inside):
                yield setting(site), f"site {site} ({network}) overlaps {inside}, {whose}"


def _share(site: str, network: IPv4Network) -> Share:
    hosts, database, public, _ = (str(one) for one in network.subnets(prefixlen_diff=2))
    first, second = (str(one) for one in IPv4Network(database).subnets())
    return Share(
        site=site,
        vpc=str(network),
        hosts=hosts,
        database=(first, second),
        public=str(next(IPv4Network(public).subnets())),
    )
