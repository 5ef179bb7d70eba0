"""Targets: what runs the services of an environment."""

from __future__ import annotations

from opsctl.errors import UsageError
from opsctl.model.environment import Environment, TargetName
from opsctl.model.feasibility import GIVEN
from opsctl.targets.base import Target

__all__ = ["Target", "composed", "open_target"]


def open_target(environment: Environment) -> Target:
    """Return the target of an environment; raise `UsageError` for what none can give yet."""
    given = GIVEN.get(environment.target)
    if given is None:
        raise UsageError(
            f"{environment.name}: the target {environment.target.value} cannot be used yet",
            hint="trading:target: local runs everything on this machine, docker in its engine",
        )
    if environment.dr not in given:
        raise UsageError(
            f"{environment.name}: the {environment.target.value} target cannot give "
            f"dr: {environment.dr.value} yet",
            hint="trading:dr: cold runs one site, hot two and a witness",
        )
    if environment.target is TargetName.DOCKER:
        from opsctl.targets.docker.target import DockerTarget

        return DockerTarget(environment)
    from opsctl.targets.local import LocalTarget

    return LocalTarget(environment)


def composed(environment: Environment) -> str:
    """Return what an environment runs as a compose file; raise `UsageError` for no containers."""
    if environment.target is not TargetName.DOCKER:
        raise UsageError(
            f"{environment.name} runs on target {environment.target.value}, and a compose file "
            "shows containers",
            hint=f"opsctl plan {environment.name} --target docker --output compose",
        )
    from opsctl.targets.docker.target import DockerTarget

    return DockerTarget(environment).compose()
