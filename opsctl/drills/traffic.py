"""The process of the client, and what it has written so far."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
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
        self.folder = folder
        self._task = task
        self._path = folder / "client.jsonl"
        self._process: subprocess.Popen[bytes] | None = None
        self._reading = threading.Lock()
        self._seen: tuple[int, list[Line]] = (0, [])

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
        self._process.stdin.write(self._task.written())
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
        """Return how many orders were submitted so far."""
        return sum(len(line.orders) for line in self.submissions())

    def submissions(self) -> list[Submitted]:
        """Return what was submitted so far."""
        return [line for line in self._read() if isinstance(line, Submitted)]

    def fault(self) -> str:
        """Return why it works no more, though nobody stopped it; empty where it does."""
        code = self._process.poll() if self._process else None
        if code is None:
            return ""
        return f"the client of the drill ended early (exit {code}): can {self.folder} be written?"

    def _read(self) -> list[Line]:
        """Return what it has written so far; only what is new is read."""
        with self._reading:
            after, known = self._seen
            new: list[Line] = []
            if self._path.exists():
                with self._path.open("rb") as file:
                    file.seek(after)
                    raw = file.read()
                whole = raw[: raw.rfind(b"\n") + 1]
                after += len(whole)
                for line in whole.splitlines():
                    with contextlib.suppress(msgspec.DecodeError):
                        new.append(_LINE.decode(line))
            # In one step, so that who is interrupted here reads on where it was.
            self._seen = (after, [*known, *new])
            return self._seen[1]
