"""A profile of one server: the catalogue's settings with its CPUs, NICs and disks put in."""

from __future__ import annotations

from enum import StrEnum

from opsctl.model.profile.setting import Compare, Means, Topic
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value


class Layout(Value):
    """What each CPU of a server is for; a trading CPU is for nothing else."""

    housekeeping: tuple[int, ...]
    """The kernel's own work, services, and people."""
    interrupts: tuple[int, ...]
    """Those of the trading NICs; may be among the housekeeping where there are few CPUs."""
    trading: tuple[int, ...]
    """One for each thread of the order path; nothing else runs there."""
    idle: tuple[int, ...] = ()
    """SMT siblings of trading CPUs: isolated as well, and nothing runs there at all."""

    @property
    def isolated(self) -> tuple[int, ...]:
        """What the scheduler keeps everything away from: trading CPUs and their siblings."""
        return tuple(sorted((*self.trading, *self.idle)))


class Wanted(Value):
    """A setting as one server is to hold it."""

    id: str
    topic: Topic
    means: Means
    at: str
    want: str
    compare: Compare
    boot: bool
    lacks: str = ""
    """Why it is not applicable on this server; empty where it is."""


class Profile(Value):
    """Everything that a server is to hold; its digest names it."""

    name: str
    tier: LatencyTier
    layout: Layout
    settings: tuple[Wanted, ...]


class Verdict(StrEnum):
    """What an audit finds of a setting."""

    HOLDS = "holds"
    DRIFTED = "drifted"
    REBOOT = "reboot"
    """It was written and holds after the next reboot."""
    NOT_APPLICABLE = "not_applicable"
    UNREADABLE = "unreadable"
    """It applies, and could not be read: no one knows."""


class Finding(Value):
    """What an audit finds of one setting."""

    setting: str
    want: str
    got: str
    verdict: Verdict
    detail: str = ""
