"""What bears a name of ours in an engine and is not ours: refused before anything is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.services.base import Service
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers

RENAME = {
    "container": "rename or remove it: docker rename {0} NAME",
    "network": "remove it, or give the environment another name: docker network rm {0}",
    "volume": "it may hold data: give the environment another name, or docker volume rm {0}",
}


def refuse(where: Containers, services: Sequence[Service]) -> None:
    """Raise `OpsctlError` for a name of these services that a stranger has, or another identity.

    A name is an environment's for as long as anything of it is left: what another identity
    has under it (its data was kept, say) is never taken up.
    """
    wanted = names(where.environment, services)
    for kind, name, labels in _there(where):
        ours = labels.get(naming.ENVIRONMENT) == where.environment
        if name in wanted[kind] and not ours:
            raise OpsctlError(
                f"a {kind} named {name} is there already, and is not of {where.environment}",
                hint=RENAME[kind].format(name),
            )
        identity = labels.get(naming.IDENTITY, where.identity) if ours else where.identity
        if identity != where.identity:
            raise OpsctlError(
                f"the {kind} {name} is of another environment named {where.environment} "
                f"(identity {identity}; this one's is {where.identity})",
                hint="give this one another name; or, where nobody needs the other one, remove "
                f"what it left: opsctl destroy {where.environment}",
            )


def has_data(where: Containers) -> bool:
    """Return whether an engine holds data of the environment."""
    return any(
        kind == "volume"
        and labels.get(naming.ENVIRONMENT) == where.environment
        and name.endswith(naming.DATA)
        for kind, name, labels in _there(where)
    )


def refuse_locked_data(where: Containers) -> None:
    """Raise `OpsctlError` for data of which the secrets that open it are lost."""
    if has_data(where):
        raise OpsctlError(
            f"the engine {where.engine.address} has data of {where.environment}, and the secrets "
            "that open it are lost with the environment's state",
            hint=f"copy out what you need (docker volume ls), then: opsctl destroy "
            f"{where.environment}",
        )


def names(environment: str, services: Sequence[Service]) -> dict[str, set[str]]:
    """Return the names that services and their places take in an engine, by kind."""
    keys, places = {s.key for s in services}, {s.site for s in services}
    return {
        "container": {naming.container(environment, key) for key in keys}
        | {naming.keeper(environment, place) for place in places},
        "network": {naming.network(environment, place) for place in places},
        "volume": {naming.data(environment, key) for key in keys}
        | {naming.held(environment, key) for key in keys}
        | {naming.vault(environment, place) for place in places},
    }


def _there(where: Containers) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield kind, name and labels of what an engine has."""
    with errors(where.engine.address):
        containers: list[dict[str, Any]] = where.api.containers(all=True)
        networks: list[dict[str, Any]] = where.api.networks()
        volumes: list[dict[str, Any]] = where.api.volumes()["Volumes"] or []
    for one in containers:
        for name in one["Names"]:
            yield "container", name.removeprefix("/"), one["Labels"] or {}
    for one in networks:
        yield "network", one["Name"], one["Labels"] or {}
    for one in volumes:
        yield "volume", one["Name"], one["Labels"] or {}
