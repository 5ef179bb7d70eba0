"""The execution app: risk, order management, journal and FIX gateway of a site."""

from __future__ import annotations

from apps.core.settings import ExecutionSettings
from apps.core.terms import agreed as digest
from opsctl.model.environment import Environment
from opsctl.model.topology import Link
from opsctl.services import app, etcd, valkey, venue
from opsctl.services.base import Address, Host, Service
from opsctl.services.links import through, waits

NAME = "execution"


def peer_address(host: Host, site: str) -> Address:
    """Return where the execution app of a site listens for those of other sites."""
    return host.address(NAME, site, "peer")


def agreed(service: Service) -> str:
    """Return the digest of what the sites agree on, of an execution app as it is deployed."""
    return digest(ExecutionSettings.from_environment(service.environment))


def _of_sites(environment: Environment, site: str, host: Host) -> dict[str, object]:
    """Return what an execution app knows of the other sites; nothing where it is alone."""
    trading = environment.trading_sites
    if len(trading) == 1:
        return {}
    at = peer_address(host, site)
    return {
        "sites": list(trading),
        "peer_host": at.host,
        "peer_port": at.port,
        "peers": {
            other: str(through(environment, Link(dialer=site, to=other, kind="peer"), host))
            for other in trading
            if other != site
        },
    }


def _succession(environment: Environment) -> dict[str, object]:
    """Return when a site succeeds the one that leads."""
    by_itself = environment.recovery.failover == "automatic"
    return {
        "detection_ms": environment.detection_ms,
        "takeover": "automatic" if by_itself else "manual",
    }


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the execution app of a site."""
    sites = _of_sites(environment, site, host)
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
            **app.journal(environment, site, host),
            **venue.initiator(environment, NAME, site, host),
            "drop_copy_log": f"{host.folder(NAME, site, 'data')}/drop-copy.log",
            "halt_note": f"{host.folder(NAME, site, 'data')}/halt.json",
            **sites,
        },
        chosen={
            **environment.limits.model_dump(),
            "capital_usd": environment.strategy.capital_usd,
            **environment.venue.model_dump(exclude={"second_logon"}),
            **(_succession(environment) if sites else {}),
        },
        ports={"peer": peer_address(host, site).port} if sites else {},
        waits=(valkey.NAME, etcd.NAME, f"{venue.NAME}@{venue.SITE}", *waits(environment)),
        secrets=("bus", venue.SECRET, *app.JOURNAL_SECRETS),
    )
