"""Facts on processes, read from /proc.

A process belongs to an environment if it carries the environment's id in its own
environment, or (servers overwrite theirs to set a title) if it runs one of its programs in
its data folder. A pid alone says nothing: it may have been given to another process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "OPSCTL_ENVIRONMENT_ID"
SERVICE_MARK = "OPSCTL_SERVICE"
PROC = Path("/proc")
POLL_S = 0.02


@dataclass(frozen=True)
class Process:
    """A process: its pid with its start time is unique on this machine until it boots."""

    pid: int
    started_ticks: int

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return process(self.pid) == self

    def end(self, number: signal.Signals) -> None:
        """Send a signal to this very process, if it still is there and ours to end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                handle = os.pidfd_open(self.pid)
            except ProcessLookupError:
                return
            except OSError:  # a kernel before 5.3: the pid may change hands within microseconds
                if self.alive:
                    os.kill(self.pid, number)
                return
            try:
                if self.alive:
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


def process(pid: int) -> Process | None:
    """Return a process by its pid; None where it is gone or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else Process(pid, int(fields[19]))


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def pids() -> Iterator[int]:
    """Yield the pids of this machine."""
    for name in os.listdir(PROC):  # noqa: PTH208 - names, not paths
        if name.isdigit():
            yield int(name)


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; empty where it is hidden."""
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def command_of(pid: int) -> str:
    """Return the command line of a process; empty where it is hidden."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def _link(pid: int, name: str) -> str:
    try:
        return str((PROC / str(pid) / name).readlink())
    except OSError:
        return ""


def of_environment(
    identity: str, data: Path, programs: Collection[str], *, service: str | None = None
) -> tuple[Process, ...]:
    """Return the processes of an environment, or those of one of its services."""
    found = []
    for pid in pids():
        if pid == os.getpid():
            continue
        marks = environment_of(pid)
        if MARK in marks:
            ours = marks[MARK] == identity and service in (None, marks.get(SERVICE_MARK))
        else:
            home = data if service is None else data / service
            ours = _link(pid, "exe") in programs and Path(_link(pid, "cwd")).is_relative_to(home)
        known = process(pid) if ours else None
        if known is not None:
            found.append(known)
    return tuple(found)


def ended(processes: Iterable[Process], within_s: float) -> tuple[Process, ...]:
    """Wait until processes have ended; return those that have not within the time."""
    left = tuple(p for p in processes if p.alive)
    deadline = time.monotonic() + within_s
    while left and time.monotonic() < deadline:
        time.sleep(POLL_S)
        left = tuple(p for p in left if p.alive)
    return left


def resident_bytes(pid: int, children: dict[int, list[int]]) -> int | None:
    """Return the memory of a process and its descendants.

    Private memory is added up, shared memory (PostgreSQL's buffers, the program itself) is
    counted once.
    """
    private, shared, seen = 0, 0, False
    todo = [pid]
    while todo:
        each = todo.pop()
        todo += children.get(each, ())
        sizes = _sizes(each)
        if sizes is not None:
            seen = True
            private += sizes[0]
            shared = max(shared, sizes[1])
    return private + shared if seen else None


def _sizes(pid: int) -> tuple[int, int] | None:
    try:
        text = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    kb = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in text.splitlines())
        if name in ("RssAnon", "RssFile", "RssShmem")
    }
    if not kb:
        return None
    return kb["RssAnon"] * 1024, (kb["RssFile"] + kb["RssShmem"]) * 1024


def children() -> dict[int, list[int]]:
    """Return the pids of the children of every process."""
    found: dict[int, list[int]] = {}
    for pid in pids():
        fields = _stat(pid)
        if fields is not None:
            found.setdefault(int(fields[1]), []).append(pid)
    return found


def listener(port: int) -> tuple[int | None, str] | None:
    """Return who listens on a loopback port: pid and command, both unknown to a stranger.

    None where nobody does.
    """
    inodes = set(_listening(port))
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in pids():
        with contextlib.suppress(OSError):
            for descriptor in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in wanted:
                        return pid, command_of(pid)
    return None, ""


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
