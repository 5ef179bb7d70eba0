"""A real Linux guest under QEMU: its image, its boot, and ways to reach it and to cut its power.

`python -m tests.support.guest` boots one and prints its inventory.
"""

from tests.support.guest.definition import Definition
from tests.support.guest.machine import Guest, guest, lacking

__all__ = ["Definition", "Guest", "guest", "lacking"]
