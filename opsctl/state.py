"""Where opsctl keeps its state on this machine.

`$OPSCTL_STATE`, else as root `/var/lib/opsctl`, else the XDG state folder:

    toolchain/             programs that we obtained
    images/                layers of images, by what they are made from
    environments/NAME/     an environment: identity, ports, secrets, lock, applied plan, services
    evidence/              the evidence log; outlives every environment
    runs/ID/               what each run left
    errors/                traces of unexpected errors
"""

from __future__ import annotations

import os
from pathlib import Path


def state_root() -> Path:
    """Return the state folder of this user; it need not exist yet."""
    named = os.environ.get("OPSCTL_STATE")
    if named:
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/opsctl")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "opsctl"


def environment_folder(name: str) -> Path:
    """Return the folder of an environment's state."""
    return state_root() / "environments" / name


def toolchain_folder() -> Path:
    """Return the folder of the programs that we obtained: `$OPSCTL_TOOLCHAIN`, else here.

    Set apart where several states share one set of programs (tests, CI).
    """
    named = os.environ.get("OPSCTL_TOOLCHAIN")
    return Path(named).expanduser().absolute() if named else state_root() / "toolchain"


def images_folder() -> Path:
    """Return the folder of the layers that were made: `$OPSCTL_IMAGES`, else here."""
    named = os.environ.get("OPSCTL_IMAGES")
    return Path(named).expanduser().absolute() if named else state_root() / "images"


def evidence_folder() -> Path:
    """Return the folder of the evidence log."""
    return state_root() / "evidence"


def runs_folder() -> Path:
    """Return the folder of the runs."""
    return state_root() / "runs"
