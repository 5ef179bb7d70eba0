"""Which environments an engine has anything of, by the labels of what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from opsctl.images.engine import Engine, errors
from opsctl.model.results import FoundEnvironment
from opsctl.targets.docker import naming
from opsctl.targets.docker.holding import holder_of

Labels = Mapping[str, str]


def environments(engine: Engine) -> tuple[FoundEnvironment, ...]:
    """Return them by name and identity; changes nothing."""
    of = {"label": [naming.ENVIRONMENT]}
    with errors(engine.address):
        containers = [one["Labels"] for one in engine.client.api.containers(all=True, filters=of)]
        listed: list[dict[str, Any]] = engine.client.api.volumes(filters=of)["Volumes"] or []
    volumes = [one["Labels"] for one in listed]
    states = {one[naming.ENVIRONMENT] for one in volumes if one.get(naming.ROLE) == naming.STATE}
    held = {
        one[naming.ENVIRONMENT]: holder
        for one in containers
        if one.get(naming.ROLE) == naming.LOCK and (holder := holder_of(one))
    }
    running, data = Counter(map(_of, containers)), Counter(map(_of, volumes))
    known = {name for name, identity in (*running, *data) if identity}
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
        for name, identity in sorted({*running, *data})
        if identity or name not in known
    )


def _of(labels: Labels) -> tuple[str, str]:
    """Return the name and the identity that something bears; what is the lock's has none."""
    return labels[naming.ENVIRONMENT], labels.get(naming.IDENTITY, "")
