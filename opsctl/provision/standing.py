"""The environments that stand, as this machine knows them."""

from __future__ import annotations

from opsctl.deploy import records
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.state import state_root


def environments() -> tuple[Environment, ...]:
    """Return every environment that was deployed from this machine."""
    folder = state_root() / "environments"
    found = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            environment = records.environment(place.name)
        except OpsctlError:  # of a newer release; it says so to whoever names it
            continue
        if environment is not None:
            found.append(environment)
    return tuple(found)
