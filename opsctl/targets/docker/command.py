"""A command in a container, as a stream both ways."""

from __future__ import annotations

import contextlib
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from opsctl.images.engine import Engine, errors

_PART = struct.Struct(">BxxxI")
"""How an engine marks the output of a command: which of its streams, how many bytes."""
STDOUT = 1


class Command:
    """A command that runs in a container until its input is closed."""

    def __init__(self, engine: Engine, container: str, argv: Sequence[str]) -> None:
        """Start it. Raises `EngineRefused`."""
        with errors(engine.address):
            made = engine.client.api.exec_create(container, list(argv), stdin=True)
            self._response = engine.client.api.exec_start(made["Id"], socket=True)
        self._line: Any = getattr(self._response, "_sock", self._response)
        self._line.settimeout(None)
        self._sending = threading.Lock()

    def send(self, what: bytes) -> None:
        """Give it input; raises `OSError` where it has ended."""
        with self._sending:
            self._line.sendall(what)

    def output(self) -> Iterator[bytes]:
        """Yield what it writes, until it ends."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                kind, size = _PART.unpack(self._read(_PART.size))
                part = self._read(size)
                if kind == STDOUT:
                    yield part

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._line.close()

    def _read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self._line.recv(count - len(found))
            if not part:
                raise EOFError
            found += part
        return found
