"""What things are called in an engine, and the labels by which they are known again; pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from opsctl.model.ephemeral import Ephemeral
from opsctl.services.base import Service

ENVIRONMENT = "dev.opsctl.environment"
IDENTITY = "dev.opsctl.identity"
SERVICE = "dev.opsctl.service"
"""The service's key."""
MADE_FROM = "dev.opsctl.made-from"
"""The digest of the `Service` that a container was started from."""
LEVEL = "dev.opsctl.level"
"""How many services are up before it: what waits for others is stopped before them."""
ANEW = "-anew"
"""What the name of a container ends with until it takes the place of another."""
ROLE = "dev.opsctl.role"
"""What is there for all services of a place: `keeper`, `step`, `gate`; or for the environment."""
KEEPER = "keeper"
LOCK, READER, STATE = "lock", "reader", "state"
"""Roles: the container that is the lock, one that the state is read by, the state's volume."""
HOLDER = "dev.opsctl.holder"
"""Who holds the lock."""
OWNER, EXPIRES = "dev.opsctl.owner", "dev.opsctl.expires"
"""Whose an environment is that ends, and when: any machine can take it away by these."""


DATA, VAULT = "-data", "-vault"
"""How the names of volumes end that outlive what runs."""


def of(environment: str, *parts: str) -> str:
    """Return a name: `opsctl-daily-execution-a`."""
    return "-".join(("opsctl", environment, *parts))


def container(environment: str, key: str) -> str:
    """Return the name of a service's container."""
    return of(environment, *key.split("@"))


def data(environment: str, key: str) -> str:
    """Return the name of the volume of a service's data."""
    return of(environment, *key.split("@")) + DATA


def held(environment: str, key: str) -> str:
    """Return the name of the volume, in memory, of a service's configuration and secrets."""
    return of(environment, *key.split("@"), "held")


def vault(environment: str, place: str) -> str:
    """Return the name of the volume from which a keeper fills what is held in memory."""
    return of(environment, place) + VAULT


def keeper(environment: str, place: str) -> str:
    """Return the name of the container that keeps what the services of a place hold."""
    return of(environment, place, "keeper")


def gate(environment: str, host: str) -> str:
    """Return the name of the container by which opsctl reaches what is on a host."""
    return of(environment, host, "gate")


def network(environment: str, place: str) -> str:
    """Return the name of a place's network."""
    return of(environment, place)


def lock(environment: str) -> str:
    """Return the name of the container that is the environment's lock."""
    return of(environment, LOCK)


def state(environment: str) -> str:
    """Return the name of the volume of the environment's state."""
    return of(environment, STATE)


def labels(environment: str, identity: str, **more: str) -> dict[str, str]:
    """Return the labels of anything of an environment."""
    return {ENVIRONMENT: environment, IDENTITY: identity, **more}


def marks(ephemeral: Ephemeral) -> dict[str, str]:
    """Return the labels of anything of an environment that ends; none of one that stays."""
    if not ephemeral.owner:
        return {}
    return {OWNER: ephemeral.owner, EXPIRES: ephemeral.expires}


def ephemeral_of(labels: Mapping[str, str]) -> Ephemeral:
    """Return what the labels say: one that stays, where they do not say both as we write them."""
    try:
        return Ephemeral(owner=labels.get(OWNER, ""), expires=labels.get(EXPIRES, ""))
    except ValidationError:
        return Ephemeral()


def of_service(environment: str, identity: str, service: Service, level: int) -> dict[str, str]:
    """Return the labels of a service's container."""
    return labels(environment, identity) | {
        SERVICE: service.key,
        MADE_FROM: service.digest(),
        LEVEL: str(level),
    }
