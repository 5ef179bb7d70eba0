"""What the services said in the window of a drill, without secrets and paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from opsctl.drills.recording.files import Window
from opsctl.evidence.redaction import scrubbed
from opsctl.state import state_root
from opsctl.targets.base import LogLine, Target

MOST = 5_000
"""Lines that are kept of a drill."""
BEFORE_NS = 2_000_000_000
"""How long before the fault the window begins."""
ORDER_PATH = ("execution@", "network@")
"""Of these every line is kept; of the others what is more than information."""
GRAVE = frozenset({"warning", "warn", "error", "critical", "fatal", "panic"})


def excerpts(target: Target, began: datetime, window: Window) -> Iterator[dict[str, Any]]:
    """Yield the lines of the window, in their order: `at_ns`, service, text."""
    since_ns = window.fault_ns - BEFORE_NS if window.fault_ns else 0
    lines = target.logs((), follow=False, since=began)
    yield from islice(
        (
            {"at_ns": at_ns, "service": line.service, "text": _plain(line.text)}
            for line in lines
            if line.at is not None
            and (at_ns := int(line.at.timestamp() * 1e6) * 1_000) >= since_ns
            and _telling(line)
        ),
        MOST,
    )


def _telling(line: LogLine) -> bool:
    return line.service.startswith(ORDER_PATH) or _level(line.text) in GRAVE


def _level(text: str) -> str:
    try:
        row = json.loads(text)
    except ValueError:
        head = text[:200].lower()
        return next((word for word in GRAVE if word in head), "")
    return str(row.get("level", "")).lower() if isinstance(row, dict) else ""


def _plain(text: str) -> str:
    return scrubbed(text).replace(str(state_root()), "$OPSCTL_STATE")
