"""Which environments an engine has anything of, by the labels of what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from opsctl.images.engine import Engine, errors
from opsctl.model.ephemeral import Ephemeral
from opsctl.model.results import FoundEnvironment
from opsctl.model.value import Value
from opsctl.targets.docker import naming
from opsctl.targets.docker.holding import holder_of

Labels = Mapping[str, str]


def environments(engine: Engine) -> tuple[FoundEnvironment, ...]:
    """Return them by name and identity; changes nothing."""
    of = {"label": [naming.ENVIRONMENT]}
    with errors(engine.address):
        containers = [one["Labels"] for one in engine.client.api.containers(all=True, filters=of)]
        listed: list[dict[str, Any]] = engine.client.api.volumes(filters=of)["Volumes"] or []
        networks = [one["Labels"] for one in engine.client.api.networks(filters=of)]
    volumes = [one["Labels"] for one in listed]
    states = {one[naming.ENVIRONMENT] for one in volumes if one.get(naming.ROLE) == naming.STATE}
    held = {
        one[naming.ENVIRONMENT]: holder
        for one in containers
        if one.get(naming.ROLE) == naming.LOCK and (holder := holder_of(one))
    }
    running, data = Counter(map(_of, containers)), Counter(map(_of, volumes))
    every = {*running, *data, *map(_of, networks)}
    known = {name for name, identity in every if identity}
    return tuple(
        FoundEnvironment(
            environment=name,
            identity=identity,
            where=engine.address,
            containers=running[name, identity] if identity else 0,
            volumes=data[name, identity] if identity else 0,
            has_state=name in states,
            held_by=f"{held[name].command} ({held[name].user} on {held[name].host})"
            if name in held
            else "",
        )
        for name, identity in sorted(every)
        if identity or name not in known
    )


class Marked(Value):
    """Something by one name in an engine that says when it ends."""

    environment: str
    identity: str
    """Empty where nothing but its state's volume is there."""
    ephemeral: Ephemeral
    where: str


def marked(engine: Engine) -> tuple[Marked, ...]:
    """Return what says by its labels whose it is and when it ends, by name; changes nothing."""
    of = {"label": [naming.ENVIRONMENT, naming.EXPIRES]}
    with errors(engine.address):
        labels = [
            *(one["Labels"] for one in engine.client.api.containers(all=True, filters=of)),
            *(one["Labels"] for one in engine.client.api.volumes(filters=of)["Volumes"] or ()),
            *(one["Labels"] for one in engine.client.api.networks(filters=of)),
        ]
    found: dict[str, Marked] = {}
    for one in labels:
        name, identity = _of(one)
        ephemeral = naming.ephemeral_of(one)
        if not ephemeral.owner or (name in found and not identity):
            continue
        found[name] = Marked(
            environment=name, identity=identity, ephemeral=ephemeral, where=engine.address
        )
    return tuple(found[name] for name in sorted(found))


def _of(labels: Labels) -> tuple[str, str]:
    """Return the name and the identity that something bears; what is the lock's has none."""
    return labels[naming.ENVIRONMENT], labels.get(naming.IDENTITY, "")
