"""What supervisord says of a program, as what runs of a service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from opsctl.targets.base import Running
from opsctl.targets.local import processes
from opsctl.targets.local.supervisor import RUNNING, STARTING, STOPPED, Program

STATES: dict[int, Literal["running", "starting", "stopped"]] = {
    RUNNING: "running",
    STARTING: "starting",
    STOPPED: "stopped",
}
"""Every other state is a failure: what keeps ending at its start runs at no time."""


def running(program: Program, children: dict[int, list[int]]) -> Running:
    """Return what runs; `children` are the processes of each process."""
    name, _, site = program.key.partition("@")
    alive = program.state in (STARTING, RUNNING)
    return Running(
        name=name,
        site=site,
        state=STATES.get(program.state, "failed"),
        made_from=program.made_from,
        pid=program.pid or None,
        started_at=datetime.fromtimestamp(program.started_at_s, UTC) if alive else None,
        rss_bytes=processes.resident_bytes(program.pid, children) if alive else None,
        detail=program.detail(),
    )
