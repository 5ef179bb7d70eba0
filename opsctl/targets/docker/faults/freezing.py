"""Freezing containers as the engine's pause does, by the same freezer of the kernel, at once.

The engine starts a program for each pause and each end of one, which takes longer than a short
freeze may last, and gives up on a container that is slow to freeze. So on the engine's own
machine the freezer is told directly; elsewhere the engine is asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.hosts import here
from opsctl.targets.docker.killing import Found

CGROUPS = Path("/sys/fs/cgroup")


class Freezer(NamedTuple):
    """Where the kernel is told, and its words for it."""

    file: Path
    frozen: str
    thawed: str

    def set(self, *, freeze: bool) -> None:
        """Tell it; a container that is gone is left out.

        Raises `OpsctlError` where what is to go on does not.
        """
        try:
            self.file.write_text(self.frozen if freeze else self.thawed, "ascii")
            now = self.file.read_text("ascii").strip()
        except OSError as fault:
            if self.file.exists():
                raise OpsctlError(f"{self.file}: {fault}") from fault
            return
        if not freeze and now != self.thawed:
            raise OpsctlError(f"{self.file} is {now}, not {self.thawed}")


def freezer(pid: int) -> Freezer | None:
    """Return the freezer of the container of a process; None where this machine shows none."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text("ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        inside = path.lstrip("/")
        if not inside:
            continue
        v1 = CGROUPS / "freezer" / inside / "freezer.state"
        if "freezer" in controllers.split(",") and v1.exists():
            return Freezer(v1, "FROZEN", "THAWED")
        v2 = CGROUPS / inside / "cgroup.freeze"
        if not controllers and v2.exists():
            return Freezer(v2, "1", "0")
    return None


def aimed(found: Found, *, freeze: bool) -> Callable[[], None]:
    """Return what freezes containers, or lets them go on; who does not run is left out."""
    told: list[Freezer] = []
    asked: list[tuple[Containers, str]] = []
    for where, one in found:
        state = one["State"]
        near = here(where.engine) and os.geteuid() == 0 and state["Pid"] and not state["Paused"]
        own = freezer(int(state["Pid"])) if near else None
        if own is not None:
            told.append(own)
        elif state["Running"] and state["Paused"] is not freeze:
            asked.append((where, one["Id"]))

    def strike() -> None:
        for each in told:
            each.set(freeze=freeze)
        for where, id_ in asked:
            with errors(where.engine.address):
                (where.api.pause if freeze else where.api.unpause)(id_)

    return strike
