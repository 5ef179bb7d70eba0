"""The venue's own record: append-only JSON lines, written before any message leaves.

It is the outside witness of the platform: what the venue accepted and executed stands
here, whatever the firm believes. docs/venue.md describes every line. The lines that
follow from one command are a group: `more` counts those of the group still to come, so
that a group which a crash tore is found, and cut at the next start as if the command had
never arrived; none of its messages had left.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from apps.venue.lines import Event

VERSION = 1


class RecordError(Exception):
    """The record cannot be used; the message says which line and why."""


class _Envelope(msgspec.Struct):
    v: int
    more: int


_encoder = msgspec.json.Encoder(decimal_format="string")
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_envelope = msgspec.json.Decoder(_Envelope)


def encode(group: Sequence[Event]) -> bytes:
    """Return the lines of one command as they are written."""
    last = len(group) - 1
    return b"".join(
        b'{"v":%d,"more":%d,%s\n' % (VERSION, last - i, _encoder.encode(line)[1:])
        for i, line in enumerate(group)
    )


def read(path: Path) -> Iterator[Event]:
    """Return the lines of a record, oldest first, without what a crash tore at its end."""
    with path.open("rb") as file:
        for group, _ in _groups(file, path):
            yield from group


class Record:
    """The record, open for appending by this process alone."""

    def __init__(self, path: Path) -> None:
        """Open the record, or begin one; raise `RecordError` where another process has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.size = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(self._file)
            raise RecordError(f"{path} is in use by another venue") from fault

    def replay(self, take: Callable[[Event], None]) -> int:
        """Hand every line to `take`, cut a torn tail, and return how many bytes it had."""
        with self.path.open("rb") as file:
            for group, end in _groups(file, self.path):
                for line in group:
                    take(line)
                self.size = end
            torn = file.seek(0, io.SEEK_END) - self.size
        os.ftruncate(self._file, self.size)
        return torn

    def append(self, groups: Iterable[Sequence[Event]]) -> None:
        """Write groups by one call to the kernel: they survive the death of this process.

        Raises OSError (a full disk): what was written of them is cut at the next start.
        """
        data = memoryview(b"".join(map(encode, groups)))
        while data:
            written = os.write(self._file, data)
            self.size += written
            data = data[written:]

    def close(self) -> None:
        """Force the record to the disk and let go of it."""
        os.fdatasync(self._file)
        os.close(self._file)

    def __enter__(self) -> Self:
        """Return the record, to be closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the record."""
        self.close()


def _groups(file: BinaryIO, path: Path) -> Iterator[tuple[list[Event], int]]:
    """Yield the whole groups of a record, each with the offset behind it."""
    group: list[Event] = []
    end = 0
    for number, raw in enumerate(file, start=1):
        if not raw.endswith(b"\n"):
            return
        try:
            envelope, line = _envelope.decode(raw), _event.decode(raw)
        except msgspec.MsgspecError as fault:
            raise RecordError(f"{path}, line {number}: {fault}") from fault
        if envelope.v > VERSION:
            raise RecordError(f"{path}, line {number}: written by a newer release")
        group.append(line)
        end += len(raw)
        if not envelope.more:
            yield group, end
            group = []
