"""The clock, injected everywhere: UTC nanoseconds since the epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns UTC nanoseconds since the epoch."""


def utc_ns() -> int:
    """Return the wall clock in UTC nanoseconds."""
    return time.time_ns()
