"""The log of a site's drop copy: every execution of the firm as the venue told it, in FIX.

It is an account of its own, beside what the order path makes of the same reports: written
as a message comes in, before anything is decided on it, and read by no part of the order
path. A message that is told again is written again; readers go by ExecID.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from apps.core.fix_messages import SOH, Received

log = structlog.get_logger()

LARGEST_BYTES = 64 * 1024 * 1024
"""Beyond it a log is put aside, in the place of the one before."""


class DropCopyLog:
    """Appends the executions of one drop copy to a file, a message a line."""

    def __init__(self, path: Path, largest_bytes: int = LARGEST_BYTES) -> None:
        """Open the log, or begin it; raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._largest = largest_bytes
        self._open()

    def take(self, message: Received) -> None:
        """Write an execution, by one call to the kernel: it survives the death of this process.

        A disk that is full is no reason to stop trading: the account then lacks what it
        could not take, and the comparison says so.
        """
        if message.get(150) != "F":
            return
        line = SOH.join(f"{tag}={value}" for tag, value in message.pairs)
        try:
            self._size += os.write(self._file, f"{line.replace(chr(10), ' ')}\n".encode())
            if self._size >= self._largest:
                self._put_aside()
        except OSError as fault:
            log.error("drop copy not logged", reason=str(fault))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._file).st_size

    def _put_aside(self) -> None:
        os.close(self._file)
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._open()
