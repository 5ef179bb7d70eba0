"""The evidence log on disk: append under a lock, flushed to the disk, then the head signed.

log.jsonl      the lines
heads.jsonl    the head after every append, with its signature
anchors.jsonl  where heads were anchored
signers        the keys that signed here, as an allowed-signers file of OpenSSH
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opsctl.errors import Locked, OpsctlError
from opsctl.evidence import signing
from opsctl.evidence.head import Head
from opsctl.evidence.line import GENESIS, VERSION, Entry, Line, seal
from opsctl.state import evidence_folder

LOCK_TIMEOUT_S = 30.0
_POLL_S = 0.01
_CHUNK = 65_536


@dataclass(frozen=True)
class Log:
    """An evidence log in a folder."""

    folder: Path

    @property
    def lines(self) -> Path:
        """The file of the lines."""
        return self.folder / "log.jsonl"

    @property
    def heads(self) -> Path:
        """The file of the heads."""
        return self.folder / "heads.jsonl"

    @property
    def anchors(self) -> Path:
        """The file of the anchors."""
        return self.folder / "anchors.jsonl"

    @property
    def signers(self) -> Path:
        """The allowed-signers file."""
        return self.folder / "signers"

    @contextmanager
    def locked(self, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[Locking]:
        """Hold the log against every other opsctl; the folder is made where it is missing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise OpsctlError(
                f"the evidence log {self.folder} cannot be written: {error.strerror}",
                hint="set OPSCTL_STATE to a folder that you may write",
            ) from error
        try:
            _lock(descriptor, self.folder, timeout_s)
            yield Locking(self)
        finally:
            os.close(descriptor)

    def read(self) -> list[Line]:
        """Return the lines, the oldest first; what is no line is left to `check`."""
        lines: list[Line] = []
        for raw in raw_lines(self.lines):
            try:
                lines.append(Line.model_validate_json(raw))
            except ValueError:
                _refuse_newer(raw)
        return lines

    def refuse_newer(self) -> None:
        """Raise `OpsctlError` where a newer opsctl has written this log."""
        last = _last_line(self.lines)
        if last is not None:
            _refuse_newer(last)

    def id(self) -> str | None:
        """Return what names this log: the hash of its first line; None while it has none."""
        if not self.lines.exists():
            return None
        with self.lines.open("rb") as file:
            first = file.readline()
        try:
            return str(json.loads(first)["hash"])
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class Locking:
    """The log while it is locked."""

    log: Log

    def append(self, entry: Entry) -> Head:
        """Append an entry, flushed to the disk; return the new head, signed where a key is."""
        index, previous = self._end()
        line = seal(entry, index, previous)
        append_durably(self.log.lines, line)
        mine = str(json.loads(line)["hash"])
        head = Head(at=datetime.now(UTC), log=self.log.id() or mine, index=index, hash=mine)
        made = signing.sign(head.signed_bytes)
        head = head.model_copy(update=made.model_dump())
        if made.signer:
            self._remember(made.signer)
        append_durably(self.log.heads, head.model_dump_json().encode() + b"\n")
        return head

    def _end(self) -> tuple[int, str]:
        """Return the index that comes next and the hash of the last line."""
        _cut_torn(self.log.lines)
        last = _last_line(self.log.lines)
        if last is None:
            return 0, GENESIS
        try:
            found = json.loads(last)
            index, digest = int(found["index"]), str(found["hash"])
        except (ValueError, KeyError, TypeError):
            # Somebody changed it: `check` will say so. To refuse every command for it,
            # the kill switch among them, would be worse.
            return len(raw_lines(self.log.lines)), hashlib.sha256(last).hexdigest()
        return index + 1, digest

    def _remember(self, signer: str) -> None:
        known = self.log.signers.read_text() if self.log.signers.exists() else ""
        line = signing.allowed(signer)
        if line not in known.splitlines():
            append_durably(self.log.signers, f"{line}\n".encode())


def log() -> Log:
    """Return the evidence log of this user."""
    return Log(evidence_folder())


def append_durably(path: Path, content: bytes) -> None:
    """Append to a file and flush it to the disk; whoever reads on sees all of it or nothing."""
    _cut_torn(path)
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        written = os.write(descriptor, content)
        if written != len(content):
            raise OSError(28, f"{path}: only {written} of {len(content)} bytes were written")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, so that a new file in it survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def raw_lines(path: Path) -> list[bytes]:
    """Return the lines of a file that are whole; a torn last one was never acknowledged."""
    content = path.read_bytes() if path.exists() else b""
    return content.split(b"\n")[:-1]


def _lock(descriptor: int, folder: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Locked(
                    f"another opsctl has held the evidence log {folder} for {timeout_s:.0f} s",
                    hint=f"see who does: fuser {folder / 'lock'}",
                ) from None
            time.sleep(_POLL_S)
        else:
            return


def _cut_torn(path: Path) -> None:
    """Cut a last line without its newline: a crash tore it before it was acknowledged."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        keep = _after_newline(file.fileno(), size)
        if keep != size:
            file.truncate(keep)
            os.fsync(file.fileno())


def _last_line(path: Path) -> bytes | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return None
        begin = _after_newline(file.fileno(), size - 1)
        return os.pread(file.fileno(), size - 1 - begin, begin)


def _after_newline(descriptor: int, end: int) -> int:
    """Return the position after the last newline before `end`; 0 without one."""
    while end > 0:
        begin = max(0, end - _CHUNK)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _refuse_newer(raw: bytes) -> None:
    try:
        version = json.loads(raw)["v"]
    except (ValueError, KeyError, TypeError):
        return
    if isinstance(version, int) and version > VERSION:
        raise OpsctlError(
            "the evidence log was written by a newer opsctl",
            hint="update opsctl; an older one never writes into a newer log",
        )
