"""The process of the client, and what it has written so far."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from opsctl.drills.task import Acknowledged, Line, Submitted, Task

END_S = 15.0
"""How long the client may take to drain and end."""
_LINE = msgspec.json.Decoder(Line)


class Traffic:
    """The client's process, and what it has written so far."""

    def __init__(self, task: Task, folder: Path) -> None:
        """Prepare; use as a context manager to run it."""
        self.name = task.name
        self._task = task
        self._path = folder / "client.jsonl"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it; its secrets go by its stdin, so that no process list shows them."""
        with self._path.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "opsctl.drills.client"],
                stdin=subprocess.PIPE,
                stdout=out,
                start_new_session=True,
            )
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(msgspec.json.encode(self._task) + b"\n")
        self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        """Let it drain, and end."""
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def acknowledged(self) -> int:
        """Return how many orders were acknowledged so far."""
        return len(self.lines())

    def lines(self) -> list[Acknowledged]:
        """Return the acknowledgements so far."""
        return [line for line in self._read() if isinstance(line, Acknowledged)]

    def orders(self) -> set[str]:
        """Return the orders that were acknowledged."""
        return {line.order for line in self.lines()}

    def submitted(self) -> int:
        """Return how many orders were submitted, known once it has ended."""
        return sum(len(line.orders) for line in self._read() if isinstance(line, Submitted))

    def _read(self) -> Iterator[Line]:
        if not self._path.exists():
            return
        for raw in self._path.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                yield _LINE.decode(raw)
