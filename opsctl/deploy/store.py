"""The object store of an environment, where the head of the evidence is anchored."""

from __future__ import annotations

from opsctl.deploy.health import secrets_of
from opsctl.evidence import Store
from opsctl.services.base import ObjectProbe
from opsctl.targets.base import Target


def store_of(target: Target) -> Store | None:
    """Return the first object store among a target's services; None where there is none."""
    read = secrets_of(target)
    for service in target.services():
        if isinstance(service.probe, ObjectProbe):
            return Store(
                endpoint=f"http://{service.probe.at.here}",
                access_key=read(service.probe.access_key),
                secret_key=read(service.probe.secret),
            )
    return None
