"""The debug log of a command: always written, shown on stderr with `-v`."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from opsctl.state import state_root


def start(*, verbose: bool) -> None:
    """Send what opsctl logs to stderr where `-v` asks for it."""
    level = logging.DEBUG if verbose else logging.CRITICAL
    logging.basicConfig(
        level=logging.WARNING if not verbose else logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    logging.getLogger("opsctl").setLevel(level)


def unexpected(error: BaseException) -> Path:
    """Write the trace of an unexpected error to a log and return its path."""
    folder = state_root() / "errors"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return path
