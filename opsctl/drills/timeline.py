"""What happened in a run of a drill, and when: told as it happens, kept for the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from opsctl.drills.measurement import ms
from opsctl.drills.outcome import Moment

Say = Callable[[str], None]


class Timeline:
    """The moments of one run; the first fault is where it counts from."""

    def __init__(self, say: Say) -> None:
        """Begin with nothing; `say` hears what happens."""
        self.fault_ns = 0
        """When the first fault struck, in UTC nanoseconds; 0 before."""
        self.lifting_ns = 0
        """When the first fault began to be lifted."""
        self.lifted_ns = 0
        """When the last fault began to be lifted, or the last blow fell where none stands."""
        self._say = say
        self._told: list[tuple[int, str]] = []

    def say(self, what: str) -> None:
        """Tell what happens now."""
        self.add(time.time_ns(), what)
        self._say(what)

    def add(self, at_ns: int, what: str) -> None:
        """Keep what was found to have happened at a time."""
        self._told.append((at_ns, what))

    def strike(self, what: str, blow: Callable[[], None]) -> None:
        """Let a fault happen."""
        self._say(what)
        at_ns = time.time_ns()
        self.fault_ns = self.fault_ns or at_ns
        self.add(at_ns, what)
        blow()

    def lifting(self) -> None:
        """Note that a fault begins to be lifted, as far as anybody knows the last of them."""
        self.lifted_ns = time.time_ns()
        self.lifting_ns = self.lifting_ns or self.lifted_ns

    def entries(self) -> list[tuple[int, str]]:
        """Return when what happened, in UTC nanoseconds, in its order."""
        return sorted(self._told)

    def moments(self) -> tuple[Moment, ...]:
        """Return everything in its order, counted from the fault."""
        return tuple(
            Moment(
                at=datetime.fromtimestamp(at / 1e9, UTC),
                ms=ms(self.fault_ns or at, at),
                what=what,
            )
            for at, what in self.entries()
        )
