"""What lies beneath the services of an environment, where a drill can break that, too.

A drill names what it means: a site's uplink fails, a service gets too little memory, the engine
dies. How that is done, and whether it can be, is the target's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from opsctl.errors import OpsctlError
from opsctl.model.value import Value

Way = Literal["both", "to", "from"]
"""Which way packets are lost: what goes to a place, what comes from it."""
Ending = Literal["live", "end"]
"""What becomes of containers when their engine dies: they live on, or end with it."""


class Uplink(Value):
    """The state of what joins a place to all the others, packet by packet; whole by itself."""

    down: bool = False
    """The cable is out: nothing passes, and nobody is told."""
    reject: bool = False
    """Every connection through it is answered with a reset."""
    loss_percent: int = 0
    loses: Way = "both"
    kbit_per_s: int = 0
    """What it carries, each way; 0: as much as it can."""

    def merged(self, other: Uplink) -> Uplink:
        """Return the state under both."""
        rates = (self.kbit_per_s, other.kbit_per_s)
        ways = {one.loses for one in (self, other) if one.loss_percent}
        return Uplink(
            down=self.down or other.down,
            reject=self.reject or other.reject,
            loss_percent=max(self.loss_percent, other.loss_percent),
            loses=ways.pop() if len(ways) == 1 else "both",
            kbit_per_s=min(rates) or max(rates),
        )


class Beneath(Protocol):
    """Breaks and mends what services stand on; each looks at what came of it, and raises."""

    def lacks_uplinks(self) -> str:
        """Return why places have no uplink whose packets could be touched; empty where they do."""
        ...

    def lacks_memory_limits(self, services: Sequence[str]) -> str:
        """Return why the memory of services cannot be limited; empty where it can."""
        ...

    def lacks_write_limits(self, services: Sequence[str]) -> str:
        """Return why the writes of services to disk cannot be slowed; empty where they can."""
        ...

    def lacks_engine(self, containers: Ending) -> str:
        """Return why the engine cannot be killed so that containers live on, or end; or empty."""
        ...

    def set_uplink(self, place: str, state: Uplink) -> None:
        """Put the uplink of a place into a state, whatever it was in."""
        ...

    def limit_memory(self, services: Sequence[str], limit_mb: int) -> None:
        """Start services anew with so much memory; 0: with what they had before a drill."""
        ...

    def limit_writes(self, services: Sequence[str], per_s: int) -> None:
        """Let so many writes of services a second through to their disk; 0: all of them."""
        ...

    def losing_engine(self) -> Callable[[], None]:
        """Return what kills the engine; `restore_engine` starts it again, or opsctl's own end."""
        ...

    def restore_engine(self) -> None:
        """Start the engine again if a drill has killed it, and wait until it answers."""
        ...


@dataclass(frozen=True)
class Nothing:
    """Beneath processes of one machine: the machine itself, which no drill touches."""

    def lacks_uplinks(self) -> str:
        """Return what a reader is told."""
        return "places are processes of one machine, and what goes between them is no packets"

    def lacks_memory_limits(self, services: Sequence[str]) -> str:
        """Return what a reader is told."""
        return "the memory of a process is limited by the machine's administrator only"

    def lacks_write_limits(self, services: Sequence[str]) -> str:
        """Return what a reader is told."""
        return "processes of one machine share its disk; scenario slow-disk stands in for it"

    def lacks_engine(self, containers: Ending) -> str:
        """Return what a reader is told."""
        return "no engine runs these services"

    def set_uplink(self, place: str, state: Uplink) -> None:
        """Refuse what would change anything."""
        if state != Uplink():
            raise OpsctlError(self.lacks_uplinks())

    def limit_memory(self, services: Sequence[str], limit_mb: int) -> None:
        """Refuse what would change anything."""
        if limit_mb:
            raise OpsctlError(self.lacks_memory_limits(services))

    def limit_writes(self, services: Sequence[str], per_s: int) -> None:
        """Refuse what would change anything."""
        if per_s:
            raise OpsctlError(self.lacks_write_limits(services))

    def losing_engine(self) -> Callable[[], None]:
        """Refuse."""
        raise OpsctlError(self.lacks_engine("live"))

    def restore_engine(self) -> None:
        """Do nothing: nothing was lost."""
