"""A slow disk, for some containers and nobody else: their writes are let through so many a second.

The kernel's own limit for the cgroup of a container. A write that is waited for (fsync) is
charged to who waits, so that a store that syncs is as slow as on a disk that is slow; what only
goes into the page cache is not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opsctl.errors import OpsctlError

CGROUPS = Path("/sys/fs/cgroup")
BLOCK = Path("/sys/dev/block")
V1, V2 = "blkio.throttle.write_iops_device", "io.max"


def limit_file(pid: int) -> Path | None:
    """Return where the limit of a container is written; None where the kernel has none."""
    for line in Path(f"/proc/{pid}/cgroup").read_text("ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if "blkio" in controllers.split(","):
            return _there(CGROUPS / "blkio" / path.lstrip("/") / V1)
        if not controllers and (found := _there(CGROUPS / path.lstrip("/") / V2)):
            return found
    return None


def _there(path: Path) -> Path | None:
    return path if path.exists() else None


def disk(folder: Path) -> str:
    """Return the whole disk that a folder lies on, as `major:minor`; empty where it has none."""
    device = folder.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    there = BLOCK / name
    if not there.exists():
        return ""
    if (there / "partition").exists():
        return (there.resolve().parent / "dev").read_text("ascii").strip()
    return name


def lacking(found: Mapping[str, Any], folder: Path) -> str:
    """Return why the writes of a container to a folder cannot be limited; empty where they can."""
    pid = int(found["State"]["Pid"])
    if not pid:
        return "it does not run"
    if limit_file(pid) is None:
        return "the kernel has no limits of input and output for this container"
    return "" if disk(folder) else f"{folder} lies on no disk of this machine"


def limit(found: Mapping[str, Any], folder: Path, per_s: int) -> None:
    """Let so many writes a second through; 0: as many as there are. One that is gone is left out.

    Raises `OpsctlError` where the kernel then says otherwise.
    """
    pid = int(found["State"]["Pid"])
    path = limit_file(pid) if pid else None
    if path is None:
        if per_s:
            raise OpsctlError(f"the writes of process {pid} cannot be limited")
        return
    device, v1 = disk(folder), path.name == V1
    path.write_text(f"{device} {per_s}" if v1 else f"{device} wiops={per_s or 'max'}", "ascii")
    seen = limits(path.read_text("ascii")).get(device, 0)
    if seen != per_s:
        raise OpsctlError(f"{path} lets {seen or 'all'} writes through, not {per_s or 'all'}")


def limits(text: str) -> dict[str, int]:
    """Return the limit of each device that the kernel lists, in either of its forms; pure."""
    found = {}
    for line in text.splitlines():
        device, *words = line.split()
        for word in words:
            count = word.removeprefix("wiops=")
            if count.isdigit():
                found[device] = int(count)
    return found
