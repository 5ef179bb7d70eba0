"""The strategy engine: one decision for every market event."""

from __future__ import annotations

from apps.core.settings import StrategySettings
from opsctl.model.environment import Environment
from opsctl.services import app, data, valkey
from opsctl.services.base import Host, Service

NAME = "strategy"


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the strategy engine of a site."""
    chosen, limits = environment.strategy, environment.limits
    return app.service(
        StrategySettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.strategy",
        purpose="signals and portfolio: one decision for every market event",
        wiring=app.bus(site, host),
        chosen={
            "strategy": chosen.name,
            "parameters": dict(chosen.parameters),
            "capital_usd": chosen.capital_usd,
            "max_position_notional_usd": limits.max_position_notional_usd,
            "max_gross_notional_usd": limits.max_gross_notional_usd,
            "max_order_notional_usd": limits.max_order_notional_usd,
            "max_order_shares": limits.max_order_shares,
            "price_collar_bps": limits.price_collar_bps,
        },
        waits=(valkey.NAME, data.NAME),
        secrets=("bus",),
    )
