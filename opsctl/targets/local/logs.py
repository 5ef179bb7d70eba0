"""The logs of services: read over rotation, merged in time, followed."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from opsctl.targets.base import LogLine
from opsctl.targets.local.definition import LOG_BACKUPS
from opsctl.targets.local.log_time import written_at

POLL_S = 0.05
BLOCK = 64 * 1024
BEGINNING = datetime.min.replace(tzinfo=UTC)


def history(logs: Sequence[tuple[str, Path]], since: datetime | None) -> Iterator[LogLine]:
    """Return the lines of services, oldest first; a line without a time follows the one before."""
    merged = heapq.merge(*(_timed(key, path) for key, path in logs), key=lambda pair: pair[0])
    for at, line in merged:
        if since is None or at >= since:
            yield line


def _timed(key: str, path: Path) -> Iterator[tuple[datetime, LogLine]]:
    latest = BEGINNING
    for file in rotated(path):
        try:
            opened = file.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # rotated away just now
            continue
        with opened:
            for text in opened:
                line = _line(key, text.rstrip("\n"))
                # Threads of a server write out of order by a hair: the merge needs order.
                latest = max(latest, line.at or latest)
                yield latest, line


def rotated(path: Path) -> tuple[Path, ...]:
    """Return the files of a log, oldest first."""
    backups = (path.with_name(f"{path.name}.{n}") for n in range(LOG_BACKUPS, 0, -1))
    return tuple(file for file in (*backups, path) if file.is_file())


def _line(key: str, text: str) -> LogLine:
    return LogLine(service=key, at=written_at(text), text=text)


def tail(path: Path, count: int) -> tuple[str, ...]:
    """Return the last lines of a log."""
    if count <= 0:
        return ()
    lines: list[str] = []
    for file in reversed(rotated(path)):
        lines = _last(file, count - len(lines)) + lines
        if len(lines) >= count:
            break
    return tuple(lines)


def _last(file: Path, count: int) -> list[str]:
    with file.open("rb") as opened:
        at = opened.seek(0, os.SEEK_END)
        text = b""
        while at > 0 and text.count(b"\n") <= count:
            step = min(BLOCK, at)
            at -= step
            opened.seek(at)
            text = opened.read(step) + text
    return text.decode("utf-8", "replace").splitlines()[-count:]


@dataclass
class _Tail:
    """Where one log was read to; survives its rotation."""

    key: str
    path: Path
    inode: int = 0
    offset: int = 0
    begun: str = field(default="")
    """The beginning of a line whose end was not written yet."""

    def at_end(self) -> None:
        """Begin after what is there now."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        self.inode, self.offset = found.st_ino, found.st_size

    def grown(self) -> Iterator[LogLine]:
        """Return the lines written since the last time."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        if self.inode and found.st_ino != self.inode:
            former = self.path.with_name(f"{self.path.name}.1")
            if former.is_file() and former.stat().st_ino == self.inode:
                yield from self._read(former)
            self.offset = 0
        self.inode = found.st_ino
        if found.st_size < self.offset:  # emptied in place
            self.offset = 0
        if found.st_size > self.offset:
            yield from self._read(self.path)

    def _read(self, path: Path) -> Iterator[LogLine]:
        with path.open("rb") as opened:
            opened.seek(self.offset)
            raw = opened.read()
        self.offset += len(raw)
        *whole, self.begun = (self.begun + raw.decode("utf-8", "replace")).split("\n")
        yield from (_line(self.key, text) for text in whole)


def follow(logs: Sequence[tuple[str, Path]], since: datetime | None) -> Iterator[LogLine]:
    """Return the lines from `since` on (none of the past without it), then each as it comes."""
    tails = [_Tail(key, path) for key, path in logs]
    for each in tails:
        each.at_end()
    if since is not None:
        yield from history(logs, since)
    while True:
        for each in tails:
            yield from each.grown()
        time.sleep(POLL_S)
