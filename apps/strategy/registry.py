"""Finds a strategy by the name of its entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from apps.strategy.api import API_VERSION, Limits, Strategy

GROUP = "opsctl.strategies"


class StrategyUnusable(Exception):
    """No strategy of that name can be used here; the message says why and what there is."""


def load(name: str, parameters: Mapping[str, int | str | bool], limits: Limits) -> Strategy:
    """Return the strategy of an entry point, made with its parameters.

    Raises `StrategyUnusable` for a name that is not installed, a class that is no strategy
    or speaks another version of the interface, and for one that does not import.
    `BadParameters` comes from the strategy itself.
    """
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if name not in installed:
        there = ", ".join(sorted(installed)) or "none"
        raise StrategyUnusable(
            f"no strategy is called {name!r}; installed (entry point group {GROUP}): {there}"
        )
    try:
        found = installed[name].load()
    except (ImportError, AttributeError) as fault:
        raise StrategyUnusable(f"strategy {name!r} does not import: {fault}") from fault
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyUnusable(
            f"strategy {name!r} ({installed[name].value}) is no apps.strategy.api.Strategy"
        )
    if found.api_version != API_VERSION:
        raise StrategyUnusable(
            f"strategy {name!r} is written for version {found.api_version} of the interface;"
            f" this engine speaks version {API_VERSION}"
        )
    return found(parameters, limits)
