"""Where opsctl keeps what it knows of boxes, on this machine: `boxes/` of the state folder.

known_hosts            host keys that were pinned at first contact
hosts/NAME/lock        who works on the box now
hosts/NAME/box.json    what it was when it was last read, and its machine-id
hosts/NAME/underway.json  a provisioning that has begun and not ended
machines/ID/audit.json    the last audit, by the machine's own id
"""

from __future__ import annotations

import re
from pathlib import Path

from opsctl.errors import UsageError
from opsctl.state import state_root

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,200}")


def boxes() -> Path:
    """Return the folder; it need not exist yet."""
    return state_root() / "boxes"


def known_hosts() -> Path:
    """Return the file of pinned host keys."""
    return boxes() / "known_hosts"


def of_host(name: str) -> Path:
    """Return the folder of a box by its name in the inventory.

    Raises:
        UsageError: the name cannot name a folder.
    """
    return boxes() / "hosts" / _safe(name)


def of_machine(machine_id: str) -> Path:
    """Return the folder of a machine by its own id; raises as `of_host` does."""
    return boxes() / "machines" / _safe(machine_id)


def _safe(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} cannot name a box", hint="letters, digits, dots and dashes can, 200 at most"
        )
    return name
