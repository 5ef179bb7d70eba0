"""What an environment says of the cables between its servers, and of addresses that move. Pure.

IPv4 alone, as the services of a rack reach one another by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from opsctl.model.explain import meant
from opsctl.model.resources import Whole
from opsctl.model.value import Value

WIDEST, NARROWEST = 29, 31
"""Prefixes of a link: a /29 is what some exchanges hand out, two servers take a /31 or a /30."""
Nic = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,15}$")]
"""Without a dash, which is a slash in the name of the unit that sets it after a boot."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
Use = Literal["inter-site", "market-data", "order-entry", "other"]


def _on_link(value: Any) -> Any:
    try:
        found = IPv4Interface(value)
    except ValueError as fault:
        raise ValueError(f"must be an address with its prefix, 10.9.0.0/31: {fault}") from fault
    net = found.network
    if not isinstance(value, str) or not WIDEST <= net.prefixlen <= NARROWEST:
        raise ValueError("a link is point to point: its prefix is /31 or /30, of a port also /29")
    if net.prefixlen < NARROWEST and found.ip in (net.network_address, net.broadcast_address):
        raise ValueError(f"no host has the first or last address of {net}")
    return str(found)


def _host(value: Any) -> Any:
    try:
        found = IPv4Address(value)
    except ValueError as fault:
        raise ValueError(f"must be an IPv4 address: {fault}") from fault
    if (
        found.is_multicast
        or found.is_loopback
        or found.is_unspecified
        or not isinstance(value, str)
    ):
        raise ValueError("must be an address that a host can have")
    return str(found)


def _route(value: Any) -> Any:
    try:
        found = IPv4Network(value)
    except ValueError as fault:
        raise ValueError(f"must be a network, 10.20.0.0/16: {fault}") from fault
    if not isinstance(value, str) or found.prefixlen == 0:
        raise ValueError("a default route would take SSH along: name the networks that are there")
    return str(found)


OnLink = Annotated[str, BeforeValidator(_on_link)]
Host = Annotated[str, BeforeValidator(_host)]
Route = Annotated[str, BeforeValidator(_route)]


class End(Value):
    """One end of a link, on a server."""

    interface: Nic = Field(description="which interface; never the one that SSH comes by")
    address: OnLink = Field(description="its address with the prefix: 10.9.0.0/31")
    routes: tuple[Route, ...] = Field((), description="networks that are reached over the link")


class Port(Value):
    """The other end, where that is not a server: a port of an exchange or of a carrier."""

    address: Host = Field(description="its address, within the link's network")
    name: Annotated[str, Field(max_length=100)] = Field("", description="what they call it")
    answers: bool = Field(
        True, description="whether it answers pings; if not, size and time are not measured"
    )


class Link(Value):
    """A cable: between two servers, or from one to a port."""

    use: Use = Field("other", description="what goes over it")
    ends: dict[Name, End] = Field(description="its ends, by the server that each is on")
    port: Port | None = Field(None, description="the other end of one that has a single server")
    mtu: Annotated[int, Whole, Field(ge=576, le=9216)] = Field(
        1500, description="bytes of the largest packet; it must pass from end to end"
    )
    within_us: Annotated[int, Whole, Field(ge=1, le=60_000_000)] | None = Field(
        None, description="longest round trip; by default what the latency tier promises in all"
    )

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if len(self.ends) + (self.port is not None) != 2:
            raise ValueError("has two ends: two servers, or one server and a `port`")
        return self

    @property
    def network(self) -> IPv4Network:
        """The network of its first end."""
        return next(IPv4Interface(end.address).network for end in self.ends.values())

    def peer(self, server: str) -> str:
        """Return the address of what is at the other end, as seen from a server."""
        if self.port is not None:
            return self.port.address
        (other,) = (end for name, end in self.ends.items() if name != server)
        return str(IPv4Interface(other.address).ip)


class FloatingAddress(Value):
    """An address that one of several servers holds, and that is moved between them."""

    address: Host = Field(description="the address, of the network that the interfaces are in")
    holder: Name = Field(description="the server that holds it now")
    interfaces: dict[Name, Nic] = Field(
        description="the servers that may hold it, and the interface of each"
    )

    @field_validator("interfaces")
    @classmethod
    def _several(cls, interfaces: dict[str, str]) -> dict[str, str]:
        if len(interfaces) < 2:
            raise ValueError("names the servers that may hold it: two at least")
        return interfaces


_ROOM = ", which has room for its two ends: name an interface of a network that servers share"
Wrong = Iterator[tuple[tuple[str, ...], str]]


def faults(
    links: Mapping[str, Link],
    addresses: Mapping[str, FloatingAddress],
    servers: Mapping[str, str],
) -> Wrong:
    """Yield the path and what does not fit; `servers` has the SSH address of each, by name."""
    taken: dict[tuple[str, str], str] = {}
    """The link of each interface."""
    known: dict[str, IPv4Network] = {}
    for name, link in links.items():
        for server, end in link.ends.items():
            at = ("links", name, "ends", server)
            if server not in servers:
                yield at, unknown("server", server, servers)
            other = taken.setdefault((server, end.interface), name)
            if other != name:
                yield (*at, "interface"), f"{end.interface} of {server} is of link {other} too"
        yield from _of_network(name, link, known, servers)
    yield from _of_routes(links)
    yield from _of_addresses(links, addresses, servers, taken)


def _of_network(
    name: str, link: Link, known: dict[str, IPv4Network], servers: Mapping[str, str]
) -> Wrong:
    net = link.network
    first, *others = link.ends
    for server in others:
        end = IPv4Interface(link.ends[server].address)
        if end.network != net or end.ip == IPv4Interface(link.ends[first].address).ip:
            yield (
                ("links", name, "ends", server, "address"),
                f"must be another address of the network of {first}, {net}",
            )
    if link.port is not None:
        own = str(IPv4Interface(link.ends[first].address).ip)
        if IPv4Address(link.port.address) not in net or link.port.address == own:
            yield ("links", name, "port", "address"), f"must be another address of {net}"
    elif net.prefixlen == WIDEST:
        yield ("links", name, "ends", first, "address"), "two servers take a /31 or a /30"
    for other, its in known.items():
        if net.overlaps(its):
            yield ("links", name), f"its network {net} overlaps {its} of link {other}"
    known[name] = net
    for server, address in servers.items():
        if _within(address, net):
            yield ("links", name), f"its network {net} has {address}, by which SSH reaches {server}"


def _of_routes(links: Mapping[str, Link]) -> Wrong:
    """Yield routes that a server has twice, or that lead to a link itself."""
    led: dict[tuple[str, str], str] = {}
    for name, link in links.items():
        for server, end in link.ends.items():
            for route in end.routes:
                at = ("links", name, "ends", server, "routes")
                other = led.setdefault((server, route), name)
                if other != name:
                    yield at, f"{route} is reached over link {other} already"
                if IPv4Network(route).overlaps(link.network):
                    yield at, f"{route} overlaps the link's own network {link.network}"


def _of_addresses(
    links: Mapping[str, Link],
    addresses: Mapping[str, FloatingAddress],
    servers: Mapping[str, str],
    taken: Mapping[tuple[str, str], str],
) -> Wrong:
    seen: dict[str, str] = {}
    for name, one in addresses.items():
        at = ("addresses", name)
        if one.holder not in one.interfaces:
            yield (*at, "holder"), unknown("server", one.holder, one.interfaces)
        for server, interface in one.interfaces.items():
            if server not in servers:
                yield (*at, "interfaces", server), unknown("server", server, servers)
            if link := taken.get((server, interface)):
                yield (*at, "interfaces", server), f"{interface} is of link {link}{_ROOM}"
        if (other := seen.setdefault(one.address, name)) != name:
            yield (*at, "address"), f"is that of {other} too"
        for server in (name for name, address in servers.items() if address == one.address):
            yield (*at, "address"), f"is that of {server} itself, by which SSH reaches it"
        for link, its in links.items():
            if _within(one.address, its.network):
                yield (*at, "address"), f"lies in the network of link {link}, {its.network}"


def _within(address: str, net: IPv4Network) -> bool:
    try:
        return ip_address(address) in net
    except ValueError:  # a name: nobody knows here
        return False


def unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    """Say that nothing has this name, and which one may have been meant."""
    near = meant(name, known)
    if near:
        return f"there is no {what} {name}: did you mean {near}?"
    return f"there is no {what} {name}: there are {', '.join(known) or 'none'}"
