"""etcd: the journal of the order path; mutual TLS for clients and peers."""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.model.tiers import LatencyTier
from opsctl.model.topology import links
from opsctl.services.base import Address, Host, JournalProbe, Scrape, Service
from opsctl.services.links import MEMBER_PORT, member, near_end, waits

NAME = "etcd"
CA = "tls/ca.crt"
CLIENT_CERT, CLIENT_KEY = "tls/journal.crt", "tls/journal.key"

QUOTA_BYTES = 4 * 1024**3
"""The default of 2 GB fills in 7 minutes at 5,000 orders a second without compaction."""

FAST = {LatencyTier.HFT, LatencyTier.INTRADAY}
"""Tiers whose journal must go on within a fraction of a second after the loss of a member."""


GARBAGE_PERCENT = 400
"""The collector runs at five times what is alive: a member keeps some 30 MB."""


def address(host: Host, site: str) -> Address:
    """Return where clients reach the member of a site."""
    return host.address(NAME, site, "client")


def pair(environment: Environment, site: str) -> tuple[str, str]:
    """Return the certificate and the key of a member; several have one each, with its name."""
    name = NAME if len(environment.sites) == 1 else member(site)
    return f"tls/{name}.crt", f"tls/{name}.key"


def peer_url(environment: Environment, site: str, host: Host) -> str:
    """Return the URL by which every member knows a member."""
    if links(environment):
        return f"https://{member(site)}:{MEMBER_PORT}"
    return f"https://{host.address(NAME, site, 'peer')}"


def _door(environment: Environment, site: str, host: Host) -> dict[str, str]:
    """Return the variables that send a member's calls of other members through its door."""
    doors = [link for link in links(environment) if link.kind == "etcd" and link.dialer == site]
    if not doors:
        return {}
    door = near_end(environment, doors[0], host)
    # A name that nobody has: what the operator's own shell exempts must not go around it.
    return {"HTTPS_PROXY": f"http://{door}", "NO_PROXY": "none.invalid"}


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the journal's member of a site; a cold environment has one.

    A member of several is ready once there is a quorum, so none waits for another.
    """
    client, peer = address(host, site), host.address(NAME, site, "peer")
    # A port that serves both gRPC and HTTP does so by a slower server: a write takes a
    # quarter longer, and a burst of reads can starve the watches. etcd 3.4 has no other.
    fast = environment.tier in FAST
    http = host.address(NAME, site, "http") if fast else client
    cert_name, key_name = pair(environment, site)
    ca, cert, key = (host.secret(name) for name in (CA, cert_name, key_name))
    own_url = peer_url(environment, site, host)
    members = {place: peer_url(environment, place, host) for place in environment.sites}
    heartbeat_ms, election_ms = (20, 100) if fast else (100, 1000)
    options = {
        "name": site,
        "data-dir": f"{host.folder(NAME, site, 'data')}/member",
        "listen-client-urls": f"https://{client}",
        **({"listen-client-http-urls": f"https://{http}"} if fast else {}),
        "advertise-client-urls": f"https://{client}",
        "listen-peer-urls": f"https://{peer}",
        "initial-advertise-peer-urls": own_url,
        "initial-cluster": ",".join(f"{place}={url}" for place, url in members.items()),
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
        environment={
            "GOGC": str(GARBAGE_PERCENT),
            "GOMEMLIMIT": "384MiB",
            **_door(environment, site, host),
        },
        ports={
            "client": client.port,
            "peer": peer.port,
            **({"http": http.port} if fast else {}),
        },
        waits=waits(environment),
        secrets=(CA, cert_name, key_name, CLIENT_CERT, CLIENT_KEY),
        probe=JournalProbe(at=client, ca=CA, cert=CLIENT_CERT, key=CLIENT_KEY),
        scrape=Scrape(at=http, secret=CLIENT_KEY, ca=CA, cert=CLIENT_CERT, key=CLIENT_KEY),
        stop_within_s=10,
    )
