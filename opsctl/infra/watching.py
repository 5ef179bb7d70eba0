"""How the parts of an environment are that a cloud runs for it."""

from __future__ import annotations

from opsctl.errors import OpsctlError
from opsctl.health.managed import Managed
from opsctl.infra import open_engine, program
from opsctl.model.environment import Environment


def managed(environment: Environment) -> Managed | None:
    """Return the managed parts of an environment, as its state names them; None: none was made.

    What cannot be asked is told, never raised. For the main thread: the engine takes signals.
    """
    if environment.infrastructure != "aws":
        return None
    from opsctl.infra.aws.managed import parts

    try:
        engine = open_engine(program(environment))
        if not engine.exists:
            return None
        deployment = engine.export()["deployment"]
    except OpsctlError as fault:
        return Managed(detail=f"the state of its stack cannot be read: {fault.message}")
    return Managed(parts=parts(environment.aws, deployment))
