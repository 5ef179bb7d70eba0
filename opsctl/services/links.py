"""Where the links between places are reached: the addresses of the `network` app.

Each link has a port of its own, but for those between members of etcd. All members must
know a member by the same URL, so a URL cannot say who dials: `https://etcd-b:2380` is a
name that nothing resolves, each member asks its own door for it (HTTP CONNECT, which etcd
speaks where `HTTPS_PROXY` is set), and door and name together are the link.
"""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.model.topology import Kind, Link, links, relay_of, relays
from opsctl.services.base import Address, Host

NETWORK = "network"
MEMBER_PORT = 2380

_FAR_END: dict[Kind, tuple[str, str]] = {
    "etcd": ("etcd", "peer"),
    "journal": ("etcd", "client"),
    "peer": ("execution", "peer"),
    "fix": ("venue", "fix"),
}
"""Kind of a link -> service and port that it leads to."""


def port_name(link: Link) -> str:
    """Return the port of the `network` app at which a link begins."""
    return f"{link.dialer}-etcd" if link.kind == "etcd" else link.name


def near_end(environment: Environment, link: Link, host: Host) -> Address:
    """Return where a link is entered."""
    relay = relay_of(environment, link.dialer)
    return host.address(NETWORK, relay, port_name(link), seen_from=link.dialer)


def far_end(environment: Environment, link: Link, host: Host) -> Address:
    """Return where a link leads."""
    if link.kind == "books":
        at = environment.books[link.dialer]
        return Address(host=at.host, port=at.port)
    service, port = _FAR_END[link.kind]
    return host.address(service, link.to, port)


def through(environment: Environment, link: Link, host: Host) -> Address:
    """Return where a place reaches another: by the link, or directly where there is none."""
    entered = link in links(environment)
    return (near_end if entered else far_end)(environment, link, host)


def member(site: str) -> str:
    """Return the name by which the members know a member, the same for all of them."""
    return f"etcd-{site}"


def asked(link: Link) -> str:
    """Return what a link's door is asked for; empty where its port says it all."""
    return f"{member(link.to)}:{MEMBER_PORT}" if link.kind == "etcd" else ""


def waits(environment: Environment) -> tuple[str, ...]:
    """Return what carries the links, for services that use one to wait for."""
    return tuple(f"{NETWORK}@{relay}" for relay in relays(environment))
