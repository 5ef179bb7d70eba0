"""What keeps a drill from beginning, beside an environment that is not steady."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from opsctl.model import window
from opsctl.model.environment import Environment

BEGIN_BYTES = 256 * 1024 * 1024
"""What must be free where a drill is recorded before it begins."""
LEFT_BYTES = 64 * 1024 * 1024
"""A drill that finds less free while it records stops: its report needs room, too."""
RESERVE, RESERVE_BYTES = ".reserve", 32 * 1024 * 1024
"""Room that is kept for the report, should the disk run full all at once."""
LAST_BYTES = 1024 * 1024
"""Of it, what is kept until the report is written: room to say that it could not be."""
MIB = 1024 * 1024


def refusal(environment: Environment, folder: Path, now: datetime) -> str:
    """Return why no drill may begin now, and what to do; empty where one may."""
    return _outside_window(environment, now) or short_of_room(folder, BEGIN_BYTES)


def short_of_room(folder: Path, wanted_bytes: int) -> str:
    """Return that a folder's disk has less room than is wanted; empty where it has it."""
    free = shutil.disk_usage(folder).free
    if free >= wanted_bytes:
        return ""
    return (
        f"the disk of {folder} has {free // MIB} MB free, recording wants "
        f"{wanted_bytes // MIB} MB: free some, or set OPSCTL_STATE to a folder of another disk"
    )


def reserve(folder: Path) -> None:
    """Keep room for a report in a run's folder until `release`; raises `OSError`."""
    with (folder / RESERVE).open("wb") as kept:
        os.posix_fallocate(kept.fileno(), 0, RESERVE_BYTES)


def release(folder: Path, *, but_bytes: int = 0) -> None:
    """Give the room to the report, but for some."""
    kept = folder / RESERVE
    if but_bytes and kept.exists():
        os.truncate(kept, but_bytes)
    else:
        kept.unlink(missing_ok=True)


def _outside_window(environment: Environment, now: datetime) -> str:
    text = environment.drills.window
    local = now.astimezone(environment.zone)
    if window.is_open(text, local):
        return ""
    opens = window.next_opening(text, local)
    return (
        f"outside the window of drills ({text}, {environment.timezone}): wait until "
        f"{opens:%a %Y-%m-%d %H:%M %Z}, or deploy another trading:drills.window"
    )
