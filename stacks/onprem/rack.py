"""A rack as a component: what fails as a whole, and the servers in it."""

from __future__ import annotations

import pulumi

from stacks.onprem.design import RackArgs
from stacks.onprem.server import Server


class Rack(pulumi.ComponentResource):
    """A rack; its servers are its children."""

    servers: dict[str, Server]

    def __init__(
        self,
        name: str,
        environment: str,
        args: RackArgs,
        owner: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a rack and what is in it."""
        said = {"site": args.site, "place": args.place}
        super().__init__("trading:onprem:Rack", name, said, opts)
        self.servers = {
            one.name: Server(one.name, environment, one, owner, pulumi.ResourceOptions(parent=self))
            for one in args.servers
        }
        self.register_outputs({**said, "servers": sorted(self.servers)})
