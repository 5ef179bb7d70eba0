"""Reserving what is chosen on this machine, from its choice until it is in use.

Several opsctl may choose ports or networks at once, each with a state folder of its own, for
what none of them uses yet. A name in the kernel's abstract namespace is had by one process,
is seen from wherever the same ports are, and goes with its process however that dies.
"""

from __future__ import annotations

import os
import socket
import weakref


class Reservation:
    """A name that this process has until it is given up, or nobody knows this value any more."""

    def __init__(self, descriptor: int) -> None:
        """Hold what keeps the name."""
        self.give_up = weakref.finalize(self, os.close, descriptor)


def reserve(what: str) -> Reservation | None:
    """Return a reservation; None where another has one of that name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(f"\0opsctl-{what}")
        except OSError:
            return None
        return Reservation(holder.detach())
