"""What would fail is found before anything is started."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.services.base import Service
from opsctl.targets.local import account, ports
from opsctl.targets.local.definition import Programs
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import Process, listener

SPEAKABLE = re.compile(r"^[A-Za-z0-9_./@+-]+$")
"""What every configuration format takes without quoting."""

DISK_FIRST_BYTES, DISK_BYTES = 1024**3, 256 * 1024**2
"""Free space for a first deployment (databases, journal, logs), and for any later one."""

MEMORY_EACH_BYTES = 96 * 1024**2
"""What a service takes on average: twelve of them stay under 1.2 GB."""


def platform_fits() -> None:
    """Raise where the `local` target cannot work at all: Linux x86-64 with glibc only."""
    libc = platform.libc_ver()[0]
    if (sys.platform, platform.machine(), libc) != ("linux", "x86_64", "glibc"):
        raise OpsctlError(
            "the local target needs Linux x86-64 with glibc, not "
            f"{platform.system()} {platform.machine()} {libc}".rstrip(),
            hint="use another target, such as docker, whose hosts are such machines",
        )


def programs() -> Programs:
    """Return the programs of the system that start a service; raise where one is missing."""
    found = {}
    for name, package, why in (
        ("sh", "dash", "it starts every service"),
        ("setpriv", "util-linux", "it ends a service when its supervisor dies"),
        ("chrt", "util-linux", "it keeps services off the order path out of the way"),
        ("nice", "coreutils", "it keeps services off the order path out of the way"),
    ):
        at = shutil.which(name)
        if at is None:
            raise ToolMissing(f"{name} is not here ({why})", hint=f"install the package {package}")
        found[name] = at
    return Programs(
        shell=found["sh"], setpriv=found["setpriv"], chrt=found["chrt"], nice=found["nice"]
    )


def place(layout: Layout, services: Sequence[Service]) -> None:
    """Raise where the state folder cannot hold the environment."""
    root = layout.root
    if not SPEAKABLE.match(str(root)):
        raise OpsctlError(
            f"the state folder {str(root)!r} has characters that configuration files cannot name",
            hint="name another one in OPSCTL_STATE, of letters, digits and _ . / @ + -",
        )
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        raise OpsctlError(
            f"the state folder {existing} cannot be written",
            hint="act as the user that owns it, or name another one in OPSCTL_STATE",
        )
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        raise OpsctlError(
            f"the state folder {existing} lies on a read-only file system",
            hint="mount it writable, or name another folder in OPSCTL_STATE",
        )
    if any(account.needed(refuses_root=s.refuses_root) for s in services):
        _passable(root)


def _passable(root: Path) -> None:
    """Raise where the unprivileged account cannot reach what will be its own folder."""
    for parent in root.parents:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise OpsctlError(
                f"{parent} lets no other account pass, and PostgreSQL runs as {account.NAME!r} "
                "because it refuses root",
                hint=f"chmod o+x {parent}; or name a folder such as /var/lib/opsctl in "
                "OPSCTL_STATE; or run opsctl as a normal user",
            )


def present(services: Sequence[Service]) -> None:
    """Raise for programs that cannot be run, all of them at once."""
    wanted = {
        words[0]: service.key
        for service in services
        for words in (service.argv, *(step.argv for step in service.setup))
    }
    gone = {path: key for path, key in wanted.items() if not os.access(path, os.X_OK)}
    if gone:
        raise ToolMissing(
            f"{len(gone)} programs cannot be run",
            hint="opsctl toolchain install",
            details=[f"{path} (of {key})" for path, key in sorted(gone.items())],
        )


def space(layout: Layout) -> None:
    """Raise where the disk is too full to start."""
    root = layout.root
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    needed = DISK_BYTES if layout.ports.exists() else DISK_FIRST_BYTES
    found = os.statvfs(existing)
    free = found.f_bavail * found.f_frsize
    if free < needed:
        raise OpsctlError(
            f"{existing} has {_mb(free)} MB free; {_mb(needed)} MB are needed",
            hint="free some space, or name a folder on another disk in OPSCTL_STATE",
        )
    if found.f_files and found.f_favail < 1000:
        raise OpsctlError(
            f"{existing} has {found.f_favail} free inodes; 1000 are needed",
            hint="remove small files, or name a folder on another disk in OPSCTL_STATE",
        )


def memory(to_start: int) -> None:
    """Raise where the machine has too little memory for the services that do not run yet."""
    needed, available = to_start * MEMORY_EACH_BYTES, available_bytes()
    if available is not None and available < needed:
        raise OpsctlError(
            f"{_mb(available)} MB of memory are available; {to_start} services need about "
            f"{_mb(needed)} MB",
            hint="stop something, or use a machine with more memory",
        )


def available_bytes(
    meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the memory that this machine, or the container we are in, can still give."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    if "MemAvailable" not in fields:
        return None
    available = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return available
    return available if limit == "max" else min(available, int(limit) - used)


def ports_free(services: Sequence[Service], ours: Collection[Process], kept: Path) -> None:
    """Raise for ports on which a stranger listens, naming each and, if knowable, who."""
    taken = list(_taken(services, {process.pid for process in ours}))
    if taken:
        raise OpsctlError(
            f"{len(taken)} port{'s'[: len(taken) != 1]} of the environment "
            f"{'is' if len(taken) == 1 else 'are'} in use by others",
            hint=f"stop what uses them, or take their lines out of {kept} for other ports",
            details=taken,
        )


def _taken(services: Sequence[Service], ours: Collection[int]) -> Iterator[str]:
    for service in services:
        for name, port in service.ports.items():
            if ports.free(port):
                continue
            found = listener(port)
            pid, command = found or (None, "")
            if pid in ours:
                continue
            who = f"pid {pid}: {command[:100]}" if pid else "a process of another user"
            yield f"{port} ({service.key}/{name}): {who}"


def _mb(count: int) -> int:
    return count // 1024**2
