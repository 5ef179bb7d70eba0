"""The disk under an app: its working directory lies where its data lies."""

from __future__ import annotations

import os

from prometheus_client import Gauge

FREE = Gauge("trading_disk_free_bytes", "Free space where this app keeps its data")
SIZE = Gauge("trading_disk_size_bytes", "Size of the disk where this app keeps its data")


def measure() -> None:
    """Read both gauges anew."""
    found = os.statvfs(".")
    FREE.set(found.f_bavail * found.f_frsize)
    SIZE.set(found.f_blocks * found.f_frsize)
