"""Whose server this is: what two inventories that name it would otherwise fight over."""

from __future__ import annotations

import contextlib
import json

from ansible.module_utils.opsctl_box.record import BEFORE, BOOT, LOCK, PENDING, Record
from ansible.module_utils.opsctl_box.system import STATE, Refused, System

CLAIM = STATE + "/claim.json"


def owner(system: System) -> str | None:
    """Return who has claimed it; None where nobody has."""
    text = system.read(CLAIM)
    if text is None:
        return None
    try:
        return str(json.loads(text)["owner"])
    except (ValueError, KeyError, TypeError) as fault:
        raise Refused(f"{CLAIM} is damaged: say in it whose server this is") from fault


def needed(system: System, wanted: str, *, release: bool) -> bool:
    """Return whether the claim is to be written. Raises `Refused` for a server of another's."""
    now = owner(system)
    if now is not None and now != wanted:
        raise Refused(
            f"this server was provisioned for {now or 'nobody in particular'!r}, not for "
            f"{wanted or 'nobody in particular'!r}: roll it back from there first, or set "
            "opsctl_owner to that if it is the same"
        )
    if release and now is not None and (left := Record(system).left()):
        raise Refused(
            f"not everything is as it was, so the server stays claimed: {', '.join(left)}"
        )
    return (now is not None) if release else now is None


def write(system: System, wanted: str, *, release: bool) -> None:
    """Claim it; or release it, and forget what was before."""
    if not release:
        system.write(CLAIM, json.dumps({"owner": wanted}) + "\n", 0o600)
        return
    for path in (BEFORE, PENDING, BOOT, CLAIM, LOCK):
        system.remove(path)
    with contextlib.suppress(OSError):  # something else is kept there
        system.at(STATE).rmdir()
        system.at(STATE).parent.rmdir()
