"""The programs that reach boxes: Ansible's, of the extra `provision`, and OpenSSH's.

Ansible is run as programs of its own, never imported.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from opsctl.errors import ToolMissing

EXTRA = "pip install 'opsctl[provision]'"


def ansible(name: str) -> Path:
    """Return a program of Ansible: that of opsctl's own Python environment, else of PATH.

    Raises:
        ToolMissing: the extra `provision` is not installed.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None or importlib.util.find_spec("ansible_runner") is None:
        missing = name if found is None else "ansible-runner"
        raise ToolMissing(
            f"{missing} is not installed: boxes are reached by Ansible",
            hint=f"{EXTRA}  (in a checkout: make setup)",
        )
    return Path(found)


def openssh(name: str) -> Path:
    """Return a program of OpenSSH's client.

    Raises:
        ToolMissing: there is none on PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(
            f"{name} is not installed: boxes are reached over SSH",
            hint="on Debian: apt-get install openssh-client",
        )
    return Path(found)


def playbooks() -> Path:
    """Return the folder of the playbooks: in the wheel, or beside the package."""
    package = Path(__file__).parents[1]
    inside = package / "_shipped" / "playbooks"
    return inside if inside.is_dir() else package.parent / "playbooks"


def mitogen() -> Path | None:
    """Return the folder of Mitogen's strategies; None where it is not installed."""
    spec = importlib.util.find_spec("ansible_mitogen")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "plugins" / "strategy"


def configuration() -> Path:
    """Return the ansible.cfg of a run: that of the playbooks, else an empty one."""
    theirs = playbooks() / "ansible.cfg"
    return theirs if theirs.is_file() else Path(__file__).with_name("ansible.cfg")
