"""etcd: the journal of the order path; mutual TLS for clients and peers."""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.model.tiers import LatencyTier
from opsctl.services.base import Address, Host, JournalProbe, Scrape, Service

NAME = "etcd"
CA, CERT, KEY = "tls/ca.crt", "tls/etcd.crt", "tls/etcd.key"
CLIENT_CERT, CLIENT_KEY = "tls/journal.crt", "tls/journal.key"

QUOTA_BYTES = 4 * 1024**3
"""The default of 2 GB fills in 7 minutes at 5,000 orders a second without compaction."""

FAST = {LatencyTier.HFT, LatencyTier.INTRADAY}
"""Tiers whose journal must go on within a fraction of a second after the loss of a member."""


def address(host: Host, site: str) -> Address:
    """Return where clients reach the member of a site."""
    return host.address(NAME, site, "client")


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the journal's member of a site; a cold environment has one."""
    client, peer = address(host, site), host.address(NAME, site, "peer")
    ca, cert, key = (host.secret(name) for name in (CA, CERT, KEY))
    heartbeat_ms, election_ms = (20, 100) if environment.tier in FAST else (100, 1000)
    options = {
        "name": site,
        "data-dir": f"{host.folder(NAME, site, 'data')}/member",
        "listen-client-urls": f"https://{client}",
        "advertise-client-urls": f"https://{client}",
        "listen-peer-urls": f"https://{peer}",
        "initial-advertise-peer-urls": f"https://{peer}",
        "initial-cluster": f"{site}=https://{peer}",
        "initial-cluster-state": "new",
        "initial-cluster-token": environment.name,
        "trusted-ca-file": ca,
        "cert-file": cert,
        "key-file": key,
        "peer-trusted-ca-file": ca,
        "peer-cert-file": cert,
        "peer-key-file": key,
        "heartbeat-interval": heartbeat_ms,
        "election-timeout": election_ms,
        # Only the execution app knows what is archived, so only it compacts.
        "auto-compaction-retention": 0,
        "quota-backend-bytes": QUOTA_BYTES,
        "logger": "zap",
        "log-level": "warn",
    }
    return Service(
        name=NAME,
        site=site,
        kind="server",
        purpose="journal of the order path: every order is in it before it leaves",
        argv=(
            host.program("etcd", "etcd"),
            *(f"--{option}={value}" for option, value in options.items()),
            "--client-cert-auth",
            "--peer-client-cert-auth",
        ),
        environment={"GOMEMLIMIT": "384MiB"},
        ports={"client": client.port, "peer": peer.port},
        secrets=(CA, CERT, KEY, CLIENT_CERT, CLIENT_KEY),
        probe=JournalProbe(at=client, ca=CA, cert=CLIENT_CERT, key=CLIENT_KEY),
        scrape=Scrape(at=client, secret=CLIENT_KEY, ca=CA, cert=CLIENT_CERT, key=CLIENT_KEY),
        stop_within_s=10,
    )
