"""Finding a recorded run by its id or its folder, and what is shown of it without an order."""

from __future__ import annotations

from pathlib import Path

from pydantic import RootModel

from opsctl.drills.recording import files, reading
from opsctl.drills.recording.identified import Identified, identified
from opsctl.drills.recording.life import lives
from opsctl.drills.recording.story import Life
from opsctl.drills.recording.tally import tally
from opsctl.drills.scenario import Described
from opsctl.errors import UsageError
from opsctl.evidence.runs import RUN_ID
from opsctl.state import runs_folder

MOST = 30
"""Orders around the fault that are shown."""


class Around(Identified):
    """A recorded run, and the orders around its fault."""

    orders: int
    """How many the client has submitted."""
    lives: tuple[Life, ...]


class Result(RootModel[Life | Around | Described]):
    """What `drill show` answers with: an order's life, or a run's orders around the fault."""


def folder(name: str) -> Path:
    """Return the folder of a recorded run, named by its id or by its path; raises `UsageError`."""
    by_id = runs_folder() / name
    found = by_id if RUN_ID.fullmatch(name) else Path(name)
    if not (found / files.MANIFEST).is_file():
        raise UsageError(
            f"{found} holds no recorded run of a drill",
            hint="name a run's id, as `opsctl evidence list --command drill` has it, or its folder",
        )
    return found


def around(run: Path) -> Around:
    """Return a recorded run with the orders around its fault; raises `OpsctlError`."""
    known, window = identified(run), reading.window(run)
    counted = tally(run, window) if window else None
    told = {
        "orders": len(counted.decided_ns) if counted else 0,
        "lives": tuple(lives(run, counted.telling(MOST)).values()) if counted else (),
    }
    return Around.model_validate(known | told)
