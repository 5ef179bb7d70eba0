"""The firewall's table, as nft lists it without counters and handles; pure.

Written in nft's own form, so that what is read back can be compared word for word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_network, summarize_address_range
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from opsctl.model.value import Value

TABLE = "inet opsctl"
SSH_PORT = 22


def _network(value: str) -> str:
    try:
        found = ip_network(value)
    except ValueError as fault:
        raise ValueError("must be a network such as 10.0.0.0/8") from fault
    if not isinstance(found, IPv4Network):
        raise ValueError("must be an IPv4 network such as 10.0.0.0/8")
    # nft lists a network of one address without its length.
    return str(found.network_address) if found.prefixlen == 32 else str(found)


Network = Annotated[str, AfterValidator(_network)]


class Allowed(Value):
    """What may come in beside SSH: a port that a service of an environment listens on."""

    port: int = Field(ge=1, le=65_535)
    protocol: Literal["tcp", "udp"] = "tcp"
    sources: tuple[Network, ...] = ()
    """Networks that may; everyone where it is empty."""
    nics: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,15}$")], ...] = ()
    """NICs that it may come by; any where it is empty."""


def rules(
    management: Sequence[str],
    sources: Sequence[str] = (),
    allowed: Iterable[Allowed] = (),
    ssh_port: int = SSH_PORT,
) -> str:
    """Return the table: inbound is dropped, but SSH from management and what is allowed.

    `management` are the NICs by which SSH comes in, `sources` the networks that it may come
    from. Without either, SSH is open to everyone: no rule here may lock the operator out.
    """
    lines = [
        "type filter hook input priority filter; policy drop;",
        'iifname "lo" accept',
        "ct state established,related accept",
        "ct state invalid drop",
        "meta l4proto { icmp, ipv6-icmp } accept",
        _accepted("tcp", ssh_port, sources, management),
        *(_accepted(each.protocol, each.port, each.sources, each.nics) for each in allowed),
    ]
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"table {TABLE} {{\n\tchain input {{\n{body}\t}}\n}}\n"


def _accepted(protocol: str, port: int, sources: Sequence[str], nics: Sequence[str]) -> str:
    parts = []
    if nics:
        # nft sorts names as numbers, their first letter the lowest byte.
        ordered = sorted(nics, key=lambda nic: int.from_bytes(nic.encode(), "little"))
        parts.append(f"iifname {_one_or_set([f'{chr(34)}{nic}{chr(34)}' for nic in ordered])}")
    if sources:
        parts.append(f"ip saddr {_one_or_set(_merged(sources))}")
    return " ".join((*parts, f"{protocol} dport {port} accept"))


def _merged(sources: Sequence[str]) -> list[str]:
    """Return networks as nft lists them: what overlaps or touches is one, as a range if need be.

    Addresses alone are left apart.
    """
    networks = sorted(IPv4Network(each) for each in set(sources))
    if all(network.prefixlen == 32 for network in networks):
        return [str(network.network_address) for network in networks]
    spans: list[list[int]] = []
    for network in networks:
        first, last = int(network.network_address), int(network.broadcast_address)
        if spans and first <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], last)
        else:
            spans.append([first, last])
    return [_span(IPv4Address(first), IPv4Address(last)) for first, last in spans]


def _span(first: IPv4Address, last: IPv4Address) -> str:
    networks = list(summarize_address_range(first, last))
    if first == last:
        return str(first)
    return str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def _one_or_set(items: Sequence[str]) -> str:
    """Return `a`, or `{ a, b }`: nft lists a set of one as the one."""
    return items[0] if len(items) == 1 else "{ " + ", ".join(items) + " }"
