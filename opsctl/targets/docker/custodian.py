"""What the container that is an environment's lock runs: it writes the state, and nobody else does.

It runs as root, without a network and without rights, on the volume that only root reads. It
lives as long as the opsctl that holds the other end of its standard input: when that ends, or
is silent for too long because the connection is cut, it ends, and the engine removes it. So a
lock that is lost cannot be written with, and none is left over.

It is told on its standard input: an empty line is a sign of life, `put LENGTH` is followed by
the state, `drop` removes it; to the latter two it says `kept` once that is on the disk.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

STATE = "state.json"
KEPT = b"kept\n"
SILENCE_S = 60.0


class Told:
    """What is read from a descriptor, until its end or a silence."""

    def __init__(self, descriptor: int, silence_s: float) -> None:
        """Read nothing yet."""
        self._descriptor, self._silence_s = descriptor, silence_s
        self._held = b""

    def line(self) -> bytes:
        """Return the next line without its end; raise `EOFError` at the end or a silence."""
        while b"\n" not in self._held:
            self._more()
        found, _, self._held = self._held.partition(b"\n")
        return found

    def exactly(self, length: int) -> bytes:
        """Return so many bytes; raises as `line`."""
        while len(self._held) < length:
            self._more()
        found, self._held = self._held[:length], self._held[length:]
        return found

    def _more(self) -> None:
        ready, _, _ = select.select([self._descriptor], [], [], self._silence_s)
        more = os.read(self._descriptor, 1 << 20) if ready else b""
        if not more:
            raise EOFError
        self._held += more


def put(folder: Path, state: bytes) -> None:
    """Replace the state: a crash at any moment leaves the old one or the new one."""
    draft = folder / f".{STATE}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(state)
        file.flush()
        os.fsync(descriptor)
    draft.rename(folder / STATE)
    flush(folder)


def flush(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def serve(folder: Path, told: Told, out: int) -> None:
    """Do what is told until the other end is gone."""
    folder.chmod(0o700)
    while True:
        try:
            what, _, length = told.line().partition(b" ")
            if what == b"put":
                put(folder, told.exactly(int(length)))
            elif what == b"drop":
                (folder / STATE).unlink(missing_ok=True)
                flush(folder)
            else:
                continue
        except EOFError:
            return
        os.write(out, KEPT)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Told(0, SILENCE_S), 1)
