"""The machine under an app, measured as Prometheus asks."""

from __future__ import annotations

import os

from prometheus_client import Gauge

from apps.core import clock

FREE = Gauge("trading_disk_free_bytes", "Free space where this app keeps its data")
SIZE = Gauge("trading_disk_size_bytes", "Size of the disk where this app keeps its data")
SHIFT = Gauge(
    "trading_clock_shift_seconds", "By how much the wall clock was set since this app began"
)


def measure() -> None:
    """Read the gauges anew; an app's working directory lies where its data lies."""
    found = os.statvfs(".")
    FREE.set(found.f_bavail * found.f_frsize)
    SIZE.set(found.f_blocks * found.f_frsize)
    SHIFT.set(clock.shift_s())
