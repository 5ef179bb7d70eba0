"""The desk: the dashboard of a site."""

from __future__ import annotations

from apps.core.settings import DeskSettings
from opsctl.model.environment import Environment
from opsctl.model.hosts import host_of
from opsctl.model.tiers import US
from opsctl.model.topology import links, relay_of
from opsctl.services import app, data, execution, projector, strategy, valkey, venue
from opsctl.services.base import Host, Service
from opsctl.services.links import NETWORK

NAME = "desk"
SECRET = "desk"  # noqa: S105 - a name

PEERS = (data.NAME, strategy.NAME, execution.NAME, projector.NAME)


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the dashboard of a site.

    It shows the health of that site's apps and of what lies between, and of the venue where
    that is on its host.
    """
    peers = {name: f"http://{app.address(name, site, host)}" for name in PEERS}
    if host_of(environment, site) == host_of(environment, venue.SITE):
        peers[venue.NAME] = f"http://{app.address(venue.NAME, venue.SITE, host)}"
    if links(environment):
        relay = relay_of(environment, site)
        peers[NETWORK] = f"http://{app.address(NETWORK, relay, host)}"
    return app.service(
        DeskSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.desk",
        purpose="dashboard: equity, P&L, positions, orders, fills, health",
        background=True,
        wiring={
            **app.bus(site, host),
            "desk_secret_file": host.secret(SECRET),
            "peers": peers,
            "latency_tier": environment.tier.value,
            "latency_budget_us": environment.latency.budget_ns // US,
        },
        chosen={
            "capital_usd": environment.strategy.capital_usd,
            "latency_tier": environment.tier.value,
            "latency_budget_us": environment.latency.budget_ns // US,
        },
        waits=(valkey.NAME,),
        secrets=("bus", SECRET),
    )
