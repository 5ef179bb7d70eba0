"""An environment on co-located and own servers: what it declares, by its settings alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from opsctl.deploy.files import write_whole
from opsctl.infra.declared import Declared
from opsctl.infra.guardrails import Facts
from opsctl.infra.pending import Operation, Undecided
from opsctl.infra.workspace import Workspace
from opsctl.model.environment import Environment

if TYPE_CHECKING:
    from stacks.onprem.design import Design

SERVER = "pulumi-python:dynamic/onprem:Server"


def declared(environment: Environment) -> Declared:
    """Return what an environment declares; its servers are asked nothing yet."""

    @cache
    def made() -> Design:
        return designed(environment)

    def program() -> None:
        from stacks.onprem.program import export
        from stacks.onprem.sharing import place

        roster = {one.name: one.properties() for one in made().servers}
        write_whole(place(environment.name), json.dumps(roster, sort_keys=True))
        export(made())

    def facts_of(replace_data: Iterable[str]) -> Facts:
        made()  # refuses a profile that is not there, before the engine is started
        return facts(environment, replace_data)

    return Declared(
        program=program,
        workspace=Workspace(environment=environment.name),
        facts=facts_of,
        waivers=environment.onprem.waivers,
        lookup=lookup,
        looks=True,
    )


def designed(environment: Environment) -> Design:
    """Return what an environment is on its servers.

    Raises:
        UsageError: a profile is not there, or has faults.
    """
    from opsctl.provision.choosing import chosen
    from opsctl.provision.inventory import BoxHost
    from stacks.onprem.design import design

    said = environment.onprem
    profiles = {}
    for name, server in said.servers.items():
        host = BoxHost(
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
        profiles[name] = chosen(host, None)
    return design(environment.name, said, profiles)


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
    """Return the machine-id of a server that a killed update was provisioning, if it is ours.

    Raises:
        Undecided: the server cannot be read.
    """
    if operation.type != SERVER:
        return None  # a claim that was not recorded is on no server; a link is only measured
    from stacks.onprem.apart import found

    seen = found({operation.name: operation.inputs})[operation.name]
    if seen.failure is not None:
        raise Undecided(f"{seen.failure}: {seen.failure.hint}")
    return seen.machine if seen.owner == operation.inputs["owner"] else None
