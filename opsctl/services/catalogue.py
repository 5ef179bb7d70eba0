"""The catalogue: every service of an environment, from its topology."""

from __future__ import annotations

from opsctl.model.environment import WITNESS, Environment
from opsctl.model.hosts import host_of
from opsctl.model.topology import relays
from opsctl.services import (
    alertmanager,
    data,
    desk,
    etcd,
    execution,
    network,
    postgres,
    projector,
    prometheus,
    seaweedfs,
    strategy,
    valkey,
    venue,
)
from opsctl.services.base import Host, Maker, Service

OF_A_SITE: tuple[Maker, ...] = (
    postgres,
    valkey,
    etcd,
    seaweedfs,
    alertmanager,
    data,
    strategy,
    execution,
    projector,
    desk,
)
"""What runs on every site that trades; Prometheus watches these and comes after them."""

OF_THE_FIRST_SITE: tuple[Maker, ...] = (seaweedfs,)
"""What no order needs, and the first site alone has: it is the largest of the servers."""

NAMES = frozenset((venue.NAME, network.NAME, prometheus.NAME, *(m.NAME for m in OF_A_SITE)))
"""The name of every service that an environment can have."""


def services(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return every service of an environment, made for the place where it will run."""
    shared = [venue.service(environment, venue.SITE, host)]
    shared += (network.service(environment, relay, host) for relay in relays(environment))
    if WITNESS in environment.sites:
        shared.append(etcd.service(environment, WITNESS, host))
    sites: list[Service] = []
    for site in environment.trading_sites:
        first = site == environment.sites[0]
        here = [each for each in OF_A_SITE if first or each not in OF_THE_FIRST_SITE]
        if site in environment.books:
            here.remove(postgres)
        own = tuple(each.service(environment, site, host) for each in here)
        # What is on other hosts lies behind links that carry orders only.
        near = [s for s in shared if host_of(environment, s.site) == host_of(environment, site)]
        sites += (*own, prometheus.service(environment, site, host, (*near, *own)))
    return (*shared, *sites)
