"""A halt that the journal does not have yet, on the disk of the site that was asked for it.

It is there from the request until the halt is in the journal, so that a site that is started
anew meanwhile lets no order leave either.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
import structlog

from apps.core.journal import Halt

log = structlog.get_logger()


class HaltNote:
    """The file of one site; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        """Name the file; touch nothing."""
        self._path = path

    def read(self) -> Halt | None:
        """Return the halt that was kept; None where none was.

        What cannot be read is a halt all the same: somebody asked for one.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Halt)
        except (OSError, msgspec.MsgspecError) as fault:
            log.error("the kept halt cannot be read", path=str(self._path), reason=str(fault))
            at_ns = self._path.stat().st_mtime_ns
            return Halt(at_ns=at_ns, by="unknown", reason=f"kept in {self._path.name}, unreadable")

    def keep(self, halt: Halt) -> str:
        """Write it down; return why that could not be, empty where it was."""
        if self._path is None:
            return ""
        draft = self._path.with_suffix(".draft")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(halt))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as fault:
            return f"the halt could not be written to disk ({fault.strerror})"
        return ""

    def drop(self) -> None:
        """Forget it: the journal has it, or trading was resumed since."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
