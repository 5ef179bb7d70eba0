"""A container started anew with something changed, and anew as it was.

An engine changes neither the variables nor, once it is set, the memory of a container: another
one takes its name and its addresses. What was changed stands in a label of it, so that whoever
comes later, on any machine, knows what it was. Killed half way through, the next call goes on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers

BEFORE = "dev.opsctl.before-drill"
"""The label that holds what was changed, as it was."""
Changed = Mapping[str, Any]
"""`Env`, and of the memory what is in `MEMORY`: what is changed."""
MEMORY = ("Memory", "MemorySwap", "MemoryReservation")
KEPT = ("Env", *MEMORY)
Change = Callable[[Changed], Changed]


def start_anew(where: Containers, key: str, change: Change | None) -> None:
    """Start a service's container anew: changed from what it was, or as it was before.

    What is as it should be is left alone. Raises `OpsctlError` where the engine shows it
    otherwise afterwards.
    """
    name = naming.container(where.environment, key)
    _settle(where, name)
    found = where.find(name)
    if found is None:
        raise OpsctlError(f"{name} is gone", hint="deploy again")
    before = _before(found)
    wanted = {**before, **change(before)} if change else before
    if _now(found) == wanted:
        return
    _replace(where, name, found, wanted, None if wanted == before else before)
    seen = where.find(name)
    if seen is None or _now(seen) != wanted:
        raise OpsctlError(f"{name} is not as it should be: {seen and _now(seen)}")


def _now(found: Mapping[str, Any]) -> dict[str, Any]:
    held = {**found["HostConfig"], "Env": sorted(found["Config"]["Env"] or ())}
    return {name: held[name] for name in KEPT}


def _before(found: Mapping[str, Any]) -> dict[str, Any]:
    kept = found["Config"]["Labels"].get(BEFORE)
    return dict(json.loads(kept)) if kept else _now(found)


def _replace(
    where: Containers,
    name: str,
    found: Mapping[str, Any],
    wanted: Changed,
    before: Changed | None,
) -> None:
    labels = {k: v for k, v in found["Config"]["Labels"].items() if k != BEFORE}
    if before is not None:
        labels[BEFORE] = json.dumps(before)
    networks = {
        network: each["IPAMConfig"] or {}
        for network, each in found["NetworkSettings"]["Networks"].items()
    }
    first = found["HostConfig"]["NetworkMode"]
    config = {
        **found["Config"],
        "Env": wanted["Env"],
        "Labels": labels,
        "HostConfig": {
            **found["HostConfig"],
            **{name: wanted[name] for name in MEMORY},
        },
        "NetworkingConfig": {
            "EndpointsConfig": {n: {"IPAMConfig": at} for n, at in networks.items() if n == first}
        },
    }
    api = where.api
    with errors(where.engine.address):
        made = api.create_container_from_config(config, name + naming.ANEW)["Id"]
        for network, at in networks.items():
            if network != first:
                address = at.get("IPv4Address")
                fixed = {"ipv4_address": address} if address else {}
                api.connect_container_to_network(made, network, **fixed)
        api.remove_container(found["Id"], force=True)
        api.rename(made, name)
    _start(where, name)


def _settle(where: Containers, name: str) -> None:
    """Finish, or forget, what was begun and killed."""
    left = where.find(name + naming.ANEW)
    if left is None:
        return
    with errors(where.engine.address):
        if where.find(name) is None:
            where.api.rename(left["Id"], name)
        else:
            where.api.remove_container(left["Id"], force=True)
            return
    _start(where, name)


def _start(where: Containers, name: str) -> None:
    """Start it; that it ends at once, for lack of memory, is what may have been asked for."""
    with contextlib.suppress(OpsctlError):
        where.start(name)
