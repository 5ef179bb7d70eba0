"""A full disk, for some containers and nobody else.

A volume with a limit of its own (in memory, of a quota, a file system of its own) is really
filled: a file takes all the room there is. Of a volume that shares the engine's disk the limit
is the kernel's on the size of files, set on the processes, as on the local target: "file too
large" stands for "no space left", and the machine's disk is left alone. Folders in memory always
have a limit of their own.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.targets import quota
from opsctl.targets.base import Blow
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.hosts import here
from opsctl.targets.docker.killing import Found

BALLAST = ".opsctl-drill"
CHUNK = 1 << 20


class Filling(NamedTuple):
    """What is filled of services: folders of file systems with a limit, and processes."""

    folders: tuple[Path, ...] = ()
    pids: tuple[int, ...] = ()

    def and_of(self, other: Filling) -> Filling:
        """Return both as one."""
        return Filling(self.folders + other.folders, self.pids + other.pids)

    def fill(self) -> None:
        """Fill it; raises `OpsctlError` where a folder then still takes something."""
        for folder in self.folders:
            _fill(folder / BALLAST)
        quota.bound(self.pids, full=True)

    def free(self) -> None:
        """Make room again, and look whether there is."""
        for folder in self.folders:
            (folder / BALLAST).unlink(missing_ok=True)
            if not _takes(folder):
                raise OpsctlError(f"{folder} takes nothing yet")
        quota.bound(self.pids, full=False)


def of_data(found: Found) -> Filling:
    """Return how the data of services is filled; who does not run is left out."""
    folders, shared = [], []
    for where, one in found:
        there = limited(where, one["Config"]["Labels"][naming.SERVICE])
        if there is not None:
            folders.append(there)
        else:
            shared.append((where, one))
    return Filling(tuple(folders), tuple(pids(shared)))


def of_memory(found: Found) -> Filling:
    """Return how the folders in memory of services are filled, as this machine reaches them."""
    return Filling(
        tuple(
            Path(f"/proc/{one['State']['Pid']}/root{folder}")
            for _, one in found
            if one["State"]["Pid"]
            for folder in one["HostConfig"]["Tmpfs"] or {}
        )
    )


def folder(where: Containers, key: str) -> Path:
    """Return where its engine's machine has the volume of a service's data."""
    return Path(_volume(where, key)["Mountpoint"])


def limited(where: Containers, key: str) -> Path | None:
    """Return the same if that volume has a limit of its own."""
    found = _volume(where, key)
    there = Path(found["Mountpoint"])
    alone = there.exists() and there.stat().st_dev != there.parent.stat().st_dev
    return there if alone or "size" in (found["Options"] or {}) else None


def _volume(where: Containers, key: str) -> Mapping[str, Any]:
    with errors(where.engine.address):
        found: Mapping[str, Any] = where.api.inspect_volume(naming.data(where.environment, key))
    return found


def pids(found: Found) -> Iterator[int]:
    """Yield every process of containers, as their machine numbers them."""
    from docker.errors import APIError

    for where, one in found:
        if not one["State"]["Running"]:
            continue
        # It may have ended meanwhile.
        with errors(where.engine.address), contextlib.suppress(APIError):
            listed = where.api.top(one["Id"], ps_args="-o pid")
            yield from [int(row[0]) for row in listed["Processes"]]


def refusal(found: Found, blow: Blow) -> str:
    """Return why what these write cannot be made to fail; empty where it can."""
    if os.geteuid() != 0 or not all(here(where.engine) for where, _ in found):
        return "only root of the engine's machine reaches the disks of its containers"
    return quota.refusal(pids(found)) if blow is Blow.FILL else ""


def _fill(path: Path) -> None:
    """Write until there is no room; what is left is less than a byte."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        chunk = bytes(CHUNK)
        while chunk:
            try:
                os.write(descriptor, chunk)
            except OSError as full:
                if full.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise OpsctlError(f"{path} cannot be filled: {full}") from full
                chunk = chunk[: len(chunk) // 2]
    finally:
        os.close(descriptor)


def _takes(folder: Path) -> bool:
    stat = os.statvfs(folder)
    return stat.f_bavail > 0
