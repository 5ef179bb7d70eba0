"""A wall clock that a test sets under a running process: seconds since the epoch, on or back.

The library is loaded before libc and shifts CLOCK_REALTIME alone; the monotonic clock stays.
"""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import folder

SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True)
class WallClock:
    """What a process is started with, and how far its clock is off."""

    library: Path
    shift: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the process."""
        return {"LD_PRELOAD": str(self.library), "WALL_SHIFT": str(self.shift)}

    def set(self, seconds: int) -> None:
        """Set the clock to so many seconds from the true time; it steps at once."""
        with self.shift.open("r+b") as file:
            file.write(struct.pack("l", seconds))


@contextlib.contextmanager
def wall_clock() -> Iterator[WallClock]:
    """Build the library; the clock is true at first. Skips the test without a C compiler."""
    if shutil.which("cc") is None:
        pytest.skip("a C compiler (cc) is missing: the clock of a process cannot be set without")
    with folder() as home:
        made = WallClock(home / "wall.so", home / "shift")
        made.shift.write_bytes(struct.pack("l", 0))
        build = ["cc", "-O1", "-shared", "-fPIC", "-o", str(made.library), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True, capture_output=True)
        yield made
