"""Running the tools that fetch and build: their lines as progress, their end as evidence."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from opsctl.errors import OpsctlError

LAST_LINES = 12

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


class CommandFailed(OpsctlError):
    """A tool that fetches or builds failed: `details` are the last lines it printed."""


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    line: Callable[[str], None] = lambda _: None,
) -> tuple[str, ...]:
    """Run a tool to its end, hand on each line it prints, and return its last lines.

    `env` is laid over the environment of this process. Passwords within addresses are
    taken out of every line. Raises `CommandFailed`.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise CommandFailed(f"{argv[0]} cannot be started: {error.strerror}") from error
    with process:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for raw in process.stdout:
            text = redacted(raw.rstrip())
            if text:
                last.append(text)
                line(text)
    if process.returncode:
        tool = Path(argv[0]).name
        raise CommandFailed(f"{tool} exited with {process.returncode}", details=tuple(last))
    return tuple(last)


def redacted(text: str) -> str:
    """Return a line without the user and password that an address in it may carry."""
    return _CREDENTIALS.sub("***@", text)
