"""The Pulumi program of an environment on servers of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from stacks.onprem.claim import Claim
from stacks.onprem.design import Design
from stacks.onprem.floating import FloatingAddress
from stacks.onprem.link import Link
from stacks.onprem.links import Wiring
from stacks.onprem.rack import Rack
from stacks.onprem.server import Server


def declare(design: Design, wiring: Wiring) -> dict[str, Any]:
    """Declare everything of a design; return the outputs of its stack, by name.

    `hosts` is an inventory, of the same form as in a cloud: of each its name, role, site,
    address, and how it is reached. No output is a secret.
    """
    claim = Claim("claim", design.environment)
    servers = {
        name: server
        for rack in design.racks
        for name, server in Rack(rack.name, design.environment, rack, claim.owner).servers.items()
    }
    joined = _join(design.environment, wiring, servers, claim)
    places = {rack.name: rack.place for rack in design.racks}
    return {
        "hosts": [
            {
                "name": host.name,
                "role": host.role,
                "site": host.site,
                "region": places[host.rack],
                "zone": host.rack,
                "address": host.address,
                "instance": servers[host.name].machine_id,
                "volume": "",
                "reach": {"by": "ssh", "user": host.user, "port": host.port, "key": host.key},
            }
            for host in design.servers
        ],
        "claim": claim.owner,
        **joined,
    }


def _join(
    environment: str, wiring: Wiring, servers: Mapping[str, Server], claim: Claim
) -> dict[str, Any]:
    """Declare links and floating addresses; return the outputs of each.

    An address waits for its holder alone: it is to move away from a server that is gone.
    """
    links = {
        one.name: Link(
            one.name,
            environment,
            one,
            claim.owner,
            pulumi.ResourceOptions(depends_on=[servers[name] for name in one.servers]),
        )
        for one in wiring.links
    }
    for one in wiring.addresses:
        after = pulumi.ResourceOptions(depends_on=[servers[one.said.holder]])
        FloatingAddress(one.name, environment, one, claim.owner, after)
    said = {
        "links": [
            {"name": name, "use": one.link.use, "round_trip": links[name].round_trip}
            for one in wiring.links
            for name in [one.name]
        ],
        "addresses": [
            {"name": one.name, "address": one.said.address, "holder": one.said.holder}
            for one in wiring.addresses
        ],
    }
    return {name: value for name, value in said.items() if value}


def export(design: Design, wiring: Wiring) -> None:
    """Declare a design and export its outputs: the whole of a program."""
    for name, value in declare(design, wiring).items():
        pulumi.export(name, value)
