"""Waiting for what a drill expects, without taking the time of those who bring it about."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.1


def soon(condition: Callable[[], bool], within_s: float, *, first_s: float = 0.0) -> bool:
    """Return whether a condition comes to hold in time; first looked at after `first_s`.

    A look opens connections and reads files. On one machine it competes with the takeover
    that it waits for, and when that happened the journal tells later as well as at once.
    """
    deadline = time.monotonic() + within_s
    time.sleep(min(first_s, within_s))
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_S)
    return condition()
