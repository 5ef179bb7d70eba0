"""The data app: history and the venue's market data, normalized, stored, published."""

from __future__ import annotations

from apps.core.settings import DataSettings
from opsctl.model.environment import Environment
from opsctl.services import app, valkey, venue
from opsctl.services.base import Host, Service
from opsctl.services.links import waits

NAME = "data"


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the data app of a site."""
    return app.service(
        DataSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.data",
        purpose="market data: normalized, checked, stored, published on the bus",
        wiring={
            **app.bus(site, host),
            **venue.initiator(environment, NAME, site, host),
        },
        chosen={
            "source": environment.replay.source,
            "history_until": environment.replay.start,
            "day_s": environment.replay.day_s,
            "strategy": environment.strategy.name,
        },
        waits=(valkey.NAME, f"{venue.NAME}@{venue.SITE}", *waits(environment)),
        secrets=("bus", venue.SECRET),
    )
