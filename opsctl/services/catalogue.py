"""The catalogue: every service of an environment, from its topology."""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.services import (
    alertmanager,
    data,
    desk,
    etcd,
    execution,
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
    postgres.service,
    valkey.service,
    etcd.service,
    seaweedfs.service,
    alertmanager.service,
    data.service,
    strategy.service,
    execution.service,
    projector.service,
    desk.service,
)
"""What runs on every site that trades; Prometheus watches these and comes after them."""

WITNESS = "witness"


def services(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return every service of an environment, made for the place where it will run."""
    outside = (venue.service(environment, venue.SITE, host),)
    sites: list[Service] = []
    for site in environment.sites:
        if site == WITNESS:
            continue
        own = tuple(make(environment, site, host) for make in OF_A_SITE)
        sites += (*own, prometheus.service(environment, site, host, (*outside, *own)))
    return (*outside, *sites)
