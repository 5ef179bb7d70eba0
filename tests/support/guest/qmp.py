"""QEMU's monitor: the few commands that a test gives a guest's machine, not its system."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


def execute(path: Path, command: str, timeout_s: float = 10.0, **arguments: Any) -> Any:
    """Give one command over the monitor's socket; return its result.

    Raises `OSError` where there is no machine, or it does not answer in time; `ValueError`
    where it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        stream = connection.makefile("rw", encoding="utf-8")
        stream.readline()  # the greeting
        for order in (
            {"execute": "qmp_capabilities"},
            {"execute": command, "arguments": arguments},
        ):
            stream.write(json.dumps(order) + "\n")
            stream.flush()
            answer = _answer(stream)
    return answer


def _answer(stream: Any) -> Any:
    """Read past the events to the answer; a machine that has quit answers nothing."""
    for line in stream:
        told = json.loads(line)
        if "error" in told:
            raise ValueError(told["error"]["desc"])
        if "return" in told:
            return told["return"]
    return None
