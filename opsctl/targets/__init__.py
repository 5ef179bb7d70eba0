"""Targets: what runs the services of an environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.custody import Backend
from opsctl.errors import UsageError
from opsctl.model.environment import Environment, TargetName
from opsctl.model.feasibility import GIVEN
from opsctl.model.results import FoundEnvironment
from opsctl.targets.base import Target

if TYPE_CHECKING:
    from opsctl.targets.docker.finding import Marked
    from opsctl.targets.local.orphans import Orphan

__all__ = [
    "Target",
    "composed",
    "end_orphan",
    "find_backend",
    "found_here",
    "marked_here",
    "open_backend",
    "open_target",
    "orphans_here",
]


def open_target(environment: Environment) -> Target:
    """Return the target of an environment; raise `UsageError` for what none can give yet."""
    if environment.target not in GIVEN:
        raise UsageError(
            f"{environment.name}: the target {environment.target.value} cannot be used yet",
            hint="trading:target: local runs everything on this machine, docker in its engine",
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


def open_backend(environment: Environment) -> Backend | None:
    """Return where the lock and the state of an environment are besides this machine.

    None where its target has them in this machine's folder. A host that does not answer is left
    out: its copy is older then, and gives way to the others' when it is back.
    """
    if environment.target is not TargetName.DOCKER:
        return None
    from opsctl.targets.docker import naming
    from opsctl.targets.docker.backend import DockerBackend
    from opsctl.targets.docker.hosts import Hosts

    up, down = Hosts(environment).answering()
    if not up:
        raise next(iter(down.values()))
    return DockerBackend(environment.name, tuple(up.values()), naming.marks(environment.ephemeral))


def found_here() -> tuple[FoundEnvironment, ...]:
    """Return the environments that the engine of this machine has; none where it has no engine."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").is_socket():
        return ()
    from opsctl.images.engine import EngineRefused, connected
    from opsctl.targets.docker.finding import environments

    try:
        with connected() as engine:
            return environments(engine)
    except EngineRefused:
        return ()


def marked_here() -> tuple[Marked, ...]:
    """Return what the engine of this machine has that says when it ends; none without an engine.

    Raises `EngineRefused` where it does not answer.
    """
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").is_socket():
        return ()
    from opsctl.images.engine import connected
    from opsctl.targets.docker.finding import marked

    with connected() as engine:
        return marked(engine)


def orphans_here() -> tuple[Orphan, ...]:
    """Return the environments of which this machine runs processes whose state folder is gone."""
    from opsctl.targets.local.orphans import orphans

    return orphans()


def end_orphan(orphan: Orphan) -> None:
    """End the processes of one; raises `OpsctlError` where one does not end."""
    from opsctl.targets.local.orphans import end

    end(orphan)


def find_backend(name: str) -> Backend:
    """Return where an environment of which only the name is known would be: in our engine."""
    from opsctl.images.engine import connect
    from opsctl.targets.docker.backend import DockerBackend

    return DockerBackend(name, (connect(),))
