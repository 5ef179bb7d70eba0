"""A hot environment whose three members are one etcd."""

from __future__ import annotations

from pathlib import Path

from apps.core.journal import Journal
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.services.base import Address, JournalProbe, Service
from tests.support.servers import EtcdServer, free_port
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment, service


def hot(name: str) -> Environment:
    """Return an environment of two sites and a witness."""
    return environment(name, tier=LatencyTier.INTRADAY, dr=DrTier.HOT)


def journal(server: EtcdServer, name: str) -> Journal:
    """Return a client of an environment's journal."""
    tls = server.certificates
    return Journal(
        environment=name,
        endpoints=[server.endpoint],
        ca=tls.ca,
        cert=tls.client_cert,
        key=tls.client_key,
        deadline_ms=500,
    )


def member(probe: JournalProbe, site: str) -> Service:
    """Return the journal's member of a site."""
    return service("etcd").model_copy(update={"site": site, "probe": probe})


def target(server: EtcdServer, state: Path, *, away: tuple[str, ...] = ()) -> FakeTarget:
    """Return what the commands act on; nothing listens where the sites `away` have a member."""
    tls = server.certificates

    def probe(site: str) -> JournalProbe:
        return JournalProbe(
            at=Address(host="127.0.0.1", port=free_port() if site in away else server.port),
            ca=str(tls.ca),
            cert=str(tls.client_cert),
            key=str(tls.client_key),
        )

    members = tuple(member(probe(site), site) for site in ("a", "b", "witness"))
    return FakeTarget(FakeHost(state), (service("bus"), *members))
