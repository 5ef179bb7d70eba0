"""Pulumi's engine for an environment: what it declares, and what a preview of it is.

The engine itself is imported where it is used: it is an extra, and takes a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from opsctl.errors import ToolMissing, UsageError
from opsctl.infra.declared import Declared
from opsctl.infra.workspace import Workspace
from opsctl.model.environment import Environment

if TYPE_CHECKING:
    from opsctl.infra.engine import Engine

__all__ = ["Declared", "Workspace", "open_engine", "program"]


def program(environment: Environment) -> Declared:
    """Return what an environment declares.

    Raises:
        UsageError: it declares no infrastructure.
        ToolMissing: the extra is not installed.
    """
    if environment.infrastructure == "none":
        raise UsageError(
            f"{environment.name} declares no infrastructure",
            hint="trading:infrastructure in its file names one; "
            f"what runs on this machine is shown by: opsctl status {environment.name}",
        )
    if environment.infrastructure == "onprem":
        from opsctl.infra import onprem

        return onprem.declared(environment)
    from opsctl.infra.aws import declared

    return declared(environment)


def open_engine(declared: Declared, say: Callable[[str], None] = lambda _: None) -> Engine:
    """Return the engine of an environment.

    Raises:
        ToolMissing: the extra is not installed, or Pulumi's engine is not here.
    """
    try:
        from opsctl.infra.engine import Engine
    except ModuleNotFoundError as missing:
        raise ToolMissing(
            f"infrastructure needs the Python package {missing.name}, which is not installed",
            hint="pip install 'opsctl[infrastructure]'",
        ) from missing
    return Engine(
        declared.workspace,
        say=say,
        lookup=declared.lookup,
        lock_lasts=declared.lock_lasts,
    )
