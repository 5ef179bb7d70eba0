"""Who an environment is: a UUID, since a name may be used again after a destroy."""

from __future__ import annotations

from pathlib import Path

from opsctl.deploy.files import remove, write_whole
from opsctl.state import environment_folder


def known(name: str) -> str | None:
    """Return the identity of an environment; None where it has none yet."""
    try:
        return _path(name).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def ensure(name: str, chosen: str) -> str:
    """Return the identity of an environment, on first use the one that its target has chosen.

    The environment's lock must be held.
    """
    found = known(name)
    if found is None:
        found = chosen
        write_whole(_path(name), found + "\n")
    return found


def forget(name: str) -> None:
    """Remove the identity of an environment: what bears its name next is another one."""
    remove(_path(name))


def _path(name: str) -> Path:
    return environment_folder(name) / "identity"
