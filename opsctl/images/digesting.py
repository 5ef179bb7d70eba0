"""A file that hashes and counts what is written through it."""

from __future__ import annotations

import hashlib
from typing import BinaryIO


class Digesting:
    """Wraps an open file; `digest` and `bytes` are of what was written so far."""

    def __init__(self, out: BinaryIO) -> None:
        """Write through to `out`, which the caller closes."""
        self._out = out
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Write, hash and count."""
        self.digest.update(data)
        self.bytes += len(data)
        return self._out.write(data)

    def flush(self) -> None:
        """Flush what is below."""
        self._out.flush()
