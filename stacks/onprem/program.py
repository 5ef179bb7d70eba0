"""The Pulumi program of an environment on servers of one's own."""

from __future__ import annotations

from typing import Any

import pulumi

from stacks.onprem.claim import Claim
from stacks.onprem.design import Design
from stacks.onprem.rack import Rack


def declare(design: Design) -> dict[str, Any]:
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
    }


def export(design: Design) -> None:
    """Declare a design and export its outputs: the whole of a program."""
    for name, value in declare(design).items():
        pulumi.export(name, value)
