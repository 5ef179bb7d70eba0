"""In which order services start: each after what it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from opsctl.errors import OpsctlError
from opsctl.services.base import Service


def waits(service: Service) -> tuple[str, ...]:
    """Return the keys of what a service waits for; a bare name is one of its own site."""
    return tuple(w if "@" in w else f"{w}@{service.site}" for w in service.waits)


def levels(services: Mapping[str, Service]) -> dict[str, int]:
    """Return how many services must be up, one after the other, before each.

    Raises `OpsctlError` for a wait that can never end.
    """
    graph = {key: waits(service) for key, service in services.items()}
    for key, names in graph.items():
        for name in names:
            if name not in services:
                raise OpsctlError(
                    f"{key} waits for {name}, which is not part of the deployment",
                    hint="a service may wait for services of its own environment only",
                )
    try:
        ordered = tuple(TopologicalSorter(graph).static_order())
    except CycleError as fault:
        raise OpsctlError(
            f"services wait for each other: {' -> '.join(fault.args[1])}",
            hint="take one of the waits out of the catalogue",
        ) from fault
    found: dict[str, int] = {}
    for key in ordered:
        found[key] = 1 + max((found[name] for name in graph[key]), default=0)
    return found


def with_waits(keys: Iterable[str], services: Mapping[str, Service]) -> tuple[str, ...]:
    """Return services with all that they wait for, in an order in which they can start."""
    level = levels(services)
    found: set[str] = set()
    todo = list(keys)
    while todo:
        key = todo.pop()
        if key not in found:
            found.add(key)
            todo += waits(services[key])
    return tuple(sorted(found, key=lambda key: (level[key], key)))
