"""The venue's own record: append-only JSON lines, written before any message leaves.

It is the outside witness of the platform: what the venue accepted and executed stands
here, whatever the firm believes. A line that a crash tore is cut at the next start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from apps.core.clock import Clock
from apps.venue.engine import Row

VERSION = 1


class Record:
    """The record, open for appending."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the record, and cut a torn last line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._clock = path, clock
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._file, _whole(path))

    def append(self, rows: Iterable[Row]) -> None:
        """Write events by one call to the kernel: they survive the death of this process."""
        now = self._clock()
        lines = [
            json.dumps({"v": VERSION, "at_ns": now, **row}, separators=(",", ":")) for row in rows
        ]
        if lines:
            data = memoryview(("\n".join(lines) + "\n").encode())
            while data:
                data = data[os.write(self._file, data) :]

    def rows(self) -> Iterator[Row]:
        """Return every event, oldest first."""
        return read(self._path)

    def sync(self) -> None:
        """Force the record to the disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Force the record to the disk and close it."""
        self.sync()
        os.close(self._file)


def read(path: Path) -> Iterator[Row]:
    """Return the events of a record, oldest first; a torn last line is left out."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                row: Row = json.loads(line)
                yield row


def _whole(path: Path) -> int:
    """Return how many bytes the whole lines of a record take."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
