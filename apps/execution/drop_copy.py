"""The log of a site's drop copy: every execution of the firm as the venue told it, in FIX.

It is an account of its own, beside what the order path makes of the same reports: written
as a message comes in, before anything is decided on it, and read by no part of the order
path. A message that is told again is written again; readers go by ExecID.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import structlog

from apps.core.fix_messages import SOH, Received

log = structlog.get_logger()

LARGEST_BYTES = 64 * 1024 * 1024
"""Beyond it a log is put aside, in the place of the one before."""
WAITING = 50_000
"""Messages that wait for a disk to have room again; beyond them the oldest are given up."""


class DropCopyLog:
    """Appends the executions of one drop copy to a file, a message a line."""

    def __init__(
        self, path: Path, largest_bytes: int = LARGEST_BYTES, waiting: int = WAITING
    ) -> None:
        """Open the log, or begin it; raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._largest = largest_bytes
        self._most = waiting
        self._waiting = deque[bytes]()
        """What is not written yet; of the first one perhaps only the end."""
        self._open()

    def take(self, message: Received) -> None:
        """Write an execution, by one call to the kernel: it survives the death of this process.

        A disk that is full is no reason to stop trading: what it could not take is written
        with the first execution that finds room. Where that is too much, or the process dies
        before, the account lacks it, and the comparison says so.
        """
        if message.get(150) != "F":
            return
        line = SOH.join(f"{tag}={value}" for tag, value in message.pairs)
        late = len(self._waiting)
        if late == self._most:
            # The second: of the first a part may stand in the file already.
            del self._waiting[min(1, late - 1)]
        self._waiting.append(f"{line.replace(chr(10), ' ')}\n".encode())
        try:
            self._write()
        except OSError as fault:
            log.error("drop copy not logged yet", reason=str(fault), waiting=len(self._waiting))
        else:
            if late:
                log.info("drop copy logged", late=late)

    def _write(self) -> None:
        while self._waiting:
            written = os.write(self._file, self._waiting[0])
            self._size += written
            if written < len(self._waiting[0]):  # the disk is full just there
                self._waiting[0] = self._waiting[0][written:]
                continue
            self._waiting.popleft()
            if self._size >= self._largest:
                self._put_aside()

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
