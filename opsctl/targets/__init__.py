"""Targets: what runs the services of an environment."""

from __future__ import annotations

from opsctl.errors import UsageError
from opsctl.model.environment import Environment, TargetName
from opsctl.model.feasibility import GIVEN
from opsctl.targets.base import Target

__all__ = ["Target", "open_target"]


def open_target(environment: Environment) -> Target:
    """Return the target of an environment; raise `UsageError` for what none can give yet."""
    if environment.target is not TargetName.LOCAL:
        raise UsageError(
            f"{environment.name}: the target {environment.target.value} cannot be used yet",
            hint="trading:target: local runs everything on this machine",
        )
    if environment.dr not in GIVEN[TargetName.LOCAL]:
        raise UsageError(
            f"{environment.name}: the local target cannot give dr: {environment.dr.value} yet",
            hint="trading:dr: cold runs one site, hot two and a witness",
        )
    from opsctl.targets.local import LocalTarget

    return LocalTarget(environment)
