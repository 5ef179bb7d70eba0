"""The parts of an environment on servers of one's own, as values; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from opsctl.model.onprem import OnpremSettings, Role, role_of
from opsctl.model.onprem import Server as Declared
from opsctl.model.profile.own import Own
from opsctl.model.profile.resolve import settings as settings_of
from opsctl.model.value import Value
from opsctl.provision.choosing import Chosen

BRIEF = 12
"""Hex digits that name what a profile wants."""


class ServerArgs(Value):
    """A server, as it is declared."""

    name: str
    rack: str
    site: str
    role: Role
    address: str
    port: int
    user: str
    key: str
    """The file of the private key, on the machine that runs the engine; never the key."""
    host_key: str
    machine: str
    """The machine-id that it must have; empty: any."""
    reboot: bool
    profile: Chosen

    def properties(self) -> dict[str, Any]:
        """Return it as properties of a resource, as the state has them."""
        return {
            "name": self.name,
            "rack": self.rack,
            "site": self.site,
            "role": self.role,
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "key": self.key,
            "host_key": self.host_key,
            "machine": self.machine,
            "reboot": self.reboot,
            "profile": self.profile.model_dump(
                mode="json", exclude_none=True, exclude_defaults=True
            ),
            "wants": wants(self.profile),
        }


class RackArgs(Value):
    """A rack and what is in it."""

    name: str
    site: str
    place: str
    servers: tuple[ServerArgs, ...]


class Design(Value):
    """Everything of an environment."""

    environment: str
    racks: tuple[RackArgs, ...]

    @property
    def servers(self) -> tuple[ServerArgs, ...]:
        """The servers of all racks."""
        return tuple(server for rack in self.racks for server in rack.servers)


def design(environment: str, said: OnpremSettings, profiles: Mapping[str, Chosen]) -> Design:
    """Return what is declared; `profiles` has the profile of each server, by its name."""
    servers = {
        name: _server(name, server, said, profiles[name]) for name, server in said.servers.items()
    }
    return Design(
        environment=environment,
        racks=tuple(
            RackArgs(
                name=name,
                site=rack.site,
                place=rack.place,
                servers=tuple(one for one in servers.values() if one.rack == name),
            )
            for name, rack in said.racks.items()
        ),
    )


def wants(profile: Chosen) -> str:
    """Return the digest of what a profile wants, before it is known of which server.

    Another release with another catalogue wants something else, as a changed profile does.
    """
    settings = [one.model_dump(mode="json") for one in settings_of(profile.tier, profile.own)]
    text = json.dumps([profile.model_dump(mode="json"), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:BRIEF]


def _server(name: str, server: Declared, said: OnpremSettings, profile: Chosen) -> ServerArgs:
    if server.nics:
        own = profile.own or Own(extends=profile.tier)
        own = own.model_copy(update={"trading_nics": server.nics})
        profile = profile.model_copy(update={"own": own})
    return ServerArgs(
        name=name,
        rack=server.rack,
        site=said.racks[server.rack].site,
        role=role_of(said, server),
        address=server.address,
        port=server.port,
        user=server.user or said.user,
        key=said.key,
        host_key=server.host_key,
        machine=server.machine,
        reboot=said.reboot,
        profile=profile,
    )
