"""Who may connect to what: the ports of services, as rules of security groups. Pure.

Rules name single hosts by their address, since a group cannot name one of another region.
Nothing is open that no port asks for; nothing is open to everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from opsctl.model.value import Value
from stacks.aws.refused import Reason

DATABASE = "database"
"""The role of a managed database, which is no host."""
ENDPOINTS = "endpoints"
"""The role of what AWS's own services are reached by."""
PEOPLE = "people"
"""As a source: the networks of the firm from which people reach the dashboard."""
OPERATORS = "operators"
"""As a source: the networks from which the firm reaches hosts by SSH."""
OUTSIDE = (PEOPLE, OPERATORS)
EVERYWHERE = "0.0.0.0/0"
HTTPS = 443


class PortUse(Value):
    """A port that a service has, who connects to it, and why."""

    port: Annotated[int, Field(ge=1, le=65_535)]
    protocol: Literal["tcp", "udp"] = "tcp"
    at: str
    """The role that listens: `trading`, `witness`, `database`."""
    sources: tuple[str, ...]
    """Roles or sites that connect, or who of `OUTSIDE` does."""
    why: str


class Rule(Value):
    """One rule of a security group; its other end is one of `cidr`, `group` and `prefix`."""

    direction: Literal["ingress", "egress"]
    protocol: Literal["tcp", "udp"] = "tcp"
    port: int
    cidr: str = ""
    group: str = ""
    """Another group of the same site."""
    prefix: str = ""
    """A service of AWS that a gateway endpoint leads to."""
    why: str

    @property
    def name(self) -> str:
        """What tells it from others of its group: `ingress-tcp-7400-10.64.16.10-32`."""
        end = (self.cidr or self.group or self.prefix).replace("/", "-")
        return f"{self.direction}-{self.protocol}-{self.port}-{end}"


class SecurityGroup(Value):
    """What may reach the hosts of a role at a site, and what they may reach."""

    name: str
    """`a-trading`."""
    site: str
    role: str
    rules: tuple[Rule, ...]


class End(Value):
    """Something with an address that rules are about: a host, or a managed database."""

    site: str
    role: str
    cidrs: tuple[str, ...]

    @property
    def group(self) -> str:
        """The name of its security group."""
        return f"{self.site}-{self.role}"

    def is_one_of(self, source: str) -> bool:
        """Return whether a source of a port means it."""
        return source in (self.site, self.role)


def port_faults(ports: tuple[PortUse, ...], known: frozenset[str]) -> Iterator[Reason]:
    """Yield the ports that name a role or site that no environment has."""
    for use in ports:
        for source in use.sources:
            if source not in known:
                yield (
                    ("services",),
                    (
                        f"port {use.port} ({use.why}) is for {source}, which is neither role nor "
                        f"site: {', '.join(sorted(known))}"
                    ),
                )


def port_rules(
    ports: tuple[PortUse, ...], ends: tuple[End, ...], outside: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of each group, by name: both ends of every connection that is wanted.

    `outside` has the networks of people and operators.
    """
    found: dict[str, dict[str, Rule]] = {end.group: {} for end in ends}
    for use in ports:
        for group, rule in _of_port(use, ends, outside):
            before = found[group].get(rule.name)
            if before is not None and rule.why not in before.why.split("; "):
                rule = rule.model_copy(update={"why": f"{before.why}; {rule.why}"})
            elif before is not None:
                rule = before
            found[group][rule.name] = rule
    return {group: tuple(rules.values()) for group, rules in found.items()}


def _of_port(
    use: PortUse, ends: tuple[End, ...], outside: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, Rule]]:
    def rule(direction: Literal["ingress", "egress"], cidr: str) -> Rule:
        return Rule(
            direction=direction, protocol=use.protocol, port=use.port, cidr=cidr, why=use.why
        )

    for end in (one for one in ends if one.role == use.at):
        for source in use.sources:
            for network in outside.get(source, ()):
                yield end.group, rule("ingress", network)
        for other in ends:
            if other != end and any(other.is_one_of(source) for source in use.sources):
                yield from ((end.group, rule("ingress", cidr)) for cidr in other.cidrs)
                yield from ((other.group, rule("egress", cidr)) for cidr in end.cidrs)
