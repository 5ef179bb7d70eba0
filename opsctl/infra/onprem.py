"""An environment on co-located and own servers: what it declares, by its settings alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from opsctl.deploy.files import write_whole
from opsctl.errors import OpsctlError, UsageError
from opsctl.infra.declared import Declared
from opsctl.infra.guardrails import Facts
from opsctl.infra.pending import Operation, Undecided
from opsctl.infra.workspace import Workspace
from opsctl.model.environment import Environment
from opsctl.model.onprem import SPARE, role_of

if TYPE_CHECKING:
    from opsctl.provision.failing import Failure
    from opsctl.provision.inventory import BoxHost
    from stacks.onprem.design import Design
    from stacks.onprem.links import Wiring

SERVER = "pulumi-python:dynamic/onprem:Server"
LINK = "pulumi-python:dynamic/onprem:Link"
ADDRESS = "pulumi-python:dynamic/onprem:FloatingAddress"


def declared(environment: Environment) -> Declared:
    """Return what an environment declares; its servers are asked nothing yet."""

    @cache
    def made() -> tuple[Design, Wiring]:
        found = designed(environment)
        return found, joined(environment, found)

    def program() -> None:
        from stacks.onprem import sharing
        from stacks.onprem.program import export

        found, wires = made()
        for of, those in (
            (sharing.SERVERS, found.servers),
            (sharing.LINKS, wires.links),
            (sharing.ADDRESSES, wires.addresses),
        ):
            roster = {one.name: one.properties() for one in those}
            place = sharing.place(environment.name, of)
            write_whole(place, json.dumps(roster, sort_keys=True))
        export(found, wires)

    def facts_of(replace_data: Iterable[str]) -> Facts:
        made()  # refuses what cannot be, before the engine is started
        return facts(environment, replace_data)

    return Declared(
        program=program,
        workspace=Workspace(environment=environment.name),
        facts=facts_of,
        waivers=environment.onprem.waivers,
        lookup=lookup,
        looks=True,
        keep_going=True,
    )


def designed(environment: Environment) -> Design:
    """Return what an environment is on its servers.

    Raises:
        UsageError: a profile is not there, or has faults.
    """
    from opsctl.provision.choosing import chosen
    from stacks.onprem.design import design

    profiles = {name: chosen(_box(environment, name), None) for name in environment.onprem.servers}
    return design(environment.name, environment.onprem, profiles)


def joined(environment: Environment, made: Design) -> Wiring:
    """Return the links and floating addresses between the servers of an environment.

    Raises:
        UsageError: the profile of a server would set the MTU of a link otherwise.
    """
    from stacks.onprem.links import contested, wiring

    servers = {one.name: one for one in made.servers}
    found = wiring(environment.onprem, environment.tier, servers)
    if against := tuple(contested(found)):
        raise UsageError(
            f"profiles and links of {environment.name} disagree; nothing was changed",
            details=against,
            hint="give the link that MTU, or leave it to the link: name the setting under `off:` "
            "of a profile of your own (site/profiles)",
        )
    return found


def keys(environment: Environment) -> dict[str, str]:
    """Return the public key of each server that services run on, by name.

    It is the one that its provisioning knew: declared, or pinned on this machine.

    Raises:
        OpsctlError: of one it is not known here.
    """
    from opsctl.provision import hostkeys

    said = environment.onprem
    boxes = [
        _box(environment, name)
        for name, server in said.servers.items()
        if role_of(said, server) != SPARE
    ]
    known = hostkeys.known(boxes)
    for box in boxes:
        if box.place not in known:
            raise OpsctlError(
                f"the host key of {box.name} ({box.place}) is not known on this machine",
                hint=f"write it in the file of {environment.name}: trading:onprem.servers."
                f"{box.name}.host_key; ssh-keyscan shows what it offers, its console what it has",
            )
    return {box.name: " ".join(known[box.place].split()[:2]) for box in boxes}


def _box(environment: Environment, name: str) -> BoxHost:
    """Return a server as a box that is provisioned."""
    from opsctl.provision.inventory import BoxHost

    said, server = environment.onprem, environment.onprem.servers[name]
    return BoxHost(
        name=name,
        address=server.address,
        port=server.port,
        user=server.user or said.user,
        groups=(),
        tier=environment.tier,
        owner="",
        host_key=server.host_key,
        profile=server.profile,
    )


def facts(environment: Environment, replace_data: Iterable[str] = ()) -> Facts:
    """Return what the guardrails need to know of an environment."""
    return Facts(
        dr=environment.dr,
        today=datetime.now(UTC).date(),
        regions=(),
        owner=environment.onprem.owner,
        cost_usd_year=environment.latency.cost_usd_year,
        replace_data=tuple(replace_data),
    )


def lookup(operation: Operation) -> str | None:
    """Return the id of what a killed update was making on servers, if it is there and ours.

    Of a server that is its machine-id, of a link or an address its name.

    Raises:
        Undecided: a server cannot be read.
    """
    if operation.type == SERVER:
        from stacks.onprem.apart import found

        seen = found({operation.name: operation.inputs})[operation.name]
        _refuse({operation.name: seen.failure} if seen.failure else {})
        return seen.machine if seen.owner == operation.inputs["owner"] else None
    if operation.type in (LINK, ADDRESS):
        from stacks.onprem import wires

        read = wires.seen_of_links if operation.type == LINK else wires.seen_of_addresses
        joined = read({operation.name: operation.inputs})[operation.name]
        _refuse(joined.failures)
        topic = f"{'link' if operation.type == LINK else 'address'}-{operation.name}"
        there = any(topic in one.topics for one in joined.wires.values())
        return operation.name if there else None
    return None  # a claim that was not recorded is on no server


def _refuse(failures: Mapping[str, Failure]) -> None:
    for failure in failures.values():
        raise Undecided(f"{failure}: {failure.hint}")
