"""The execution app: risk, order management, journal and FIX gateway of a site."""

from __future__ import annotations

from apps.core.settings import ExecutionSettings
from opsctl.model.environment import Environment
from opsctl.services import app, etcd, valkey, venue
from opsctl.services.base import Host, Service

NAME = "execution"


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the execution app of a site."""
    return app.service(
        ExecutionSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.execution",
        purpose="pre-trade risk, order management, journal, FIX gateway",
        wiring={
            **app.bus(site, host),
            **app.journal(site, host),
            **venue.initiator(NAME, site, host),
        },
        chosen={
            **environment.limits.model_dump(),
            "capital_usd": environment.strategy.capital_usd,
            "duplicate_check": environment.venue.duplicate_check,
            "status_request": environment.venue.status_request,
        },
        waits=(valkey.NAME, etcd.NAME, f"{venue.NAME}@{venue.SITE}"),
        secrets=("bus", venue.SECRET, *app.JOURNAL_SECRETS),
    )
