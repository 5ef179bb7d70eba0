"""The clock, injected everywhere: UTC nanoseconds since the epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns UTC nanoseconds since the epoch."""


def utc_ns() -> int:
    """Return the wall clock in UTC nanoseconds."""
    return time.time_ns()


def shift_s() -> float:
    """Return by how many seconds the wall clock was set on (or back) since this was imported.

    The monotonic clock is slewed with it and never set, so that what they differ by is steps.
    """
    return (time.time_ns() - time.monotonic_ns() - _APART_NS) / 1e9


_APART_NS = time.time_ns() - time.monotonic_ns()

Monotonic = Callable[[], float]
"""Returns seconds that never go back, from an instant that means nothing."""

_monotonic: Monotonic = time.monotonic


def monotonic() -> float:
    """Return the monotonic clock in seconds; it goes on while a process is frozen."""
    return _monotonic()


def monotonic_ns() -> int:
    """Return the monotonic clock in nanoseconds."""
    return int(_monotonic() * 1_000_000_000)


def run_on(source: Monotonic) -> Monotonic:
    """Let the whole process go by another monotonic clock; return the one before.

    For a simulated world only: its time is a number that it steps.
    """
    global _monotonic
    before, _monotonic = _monotonic, source
    return before
