"""Short ways to write settings of the catalogue: what each means has in common is said once."""

from __future__ import annotations

from opsctl.model.profile.setting import (
    Compare,
    Each,
    Means,
    Need,
    NeedKind,
    Setting,
    Topic,
)
from opsctl.model.tiers import LatencyTier

Want = dict[LatencyTier, str]

UNDO: dict[Means, str] = {
    Means.CMDLINE: "its word leaves the command line of the next boot; a reboot",
    Means.SYSCTL: "the former value is written back, now and for the next boot",
    Means.SYSFS: "the former value is written back, now and for the next boot",
    Means.ETHTOOL: "the former value is set again, and whenever the NIC comes",
    Means.IRQ: "the former CPUs are set again, and whenever the device comes",
    Means.UNIT: "the unit is enabled, masked and running again as it was",
    Means.PACKAGE: "a package that was added is removed, one that was removed is added",
    Means.LIMIT: "its line leaves the files of limits; the next login has what was before",
    Means.ACCOUNT: "an account that was added is removed",
    Means.FILE: "the former content is put back; a file that was not there is removed",
    Means.SSHD: "its line leaves the drop-in of sshd, which is reloaded",
    Means.FIREWALL: "the table is removed, now and at boot",
    Means.MEASURED: "nothing: it is only read",
}

READ_BACK: dict[Means, str] = {
    Means.CMDLINE: "from /proc/cmdline, of the kernel that runs",
    Means.SYSCTL: "from /proc/sys",
    Means.SYSFS: "from the file itself; of a choice, the word that is chosen",
    Means.ETHTOOL: "from the kernel, by ethtool's netlink protocol",
    Means.IRQ: "from /proc/irq, each interrupt that the kernel does not manage itself",
    Means.UNIT: "from systemd: enabled and active, or masked and not running",
    Means.PACKAGE: "from dpkg",
    Means.LIMIT: "from a process of the group, else from the files that a login would get it by",
    Means.ACCOUNT: "from the account and group databases",
    Means.FILE: "from the file, every character",
    Means.SSHD: "from `sshd -T`: what its files and defaults come to",
    Means.FIREWALL: "from `nft list table`, without counters",
    Means.MEASURED: "from chrony or ptp4l, from the files themselves, or from the kernel",
}

READABLE = Need(kind=NeedKind.READABLE)
BARE_METAL = Need(kind=NeedKind.BARE_METAL)
INTEL = Need(kind=NeedKind.VENDOR, at="GenuineIntel")
CLOCK = Need(kind=NeedKind.HARDWARE_CLOCK)
QUEUES = Need(kind=NeedKind.SEVERAL_QUEUES)


def option(name: str) -> Need:
    """Return the need of an option that the kernel was built with."""
    return Need(kind=NeedKind.KERNEL_OPTION, at=name)


def driver(*names: str) -> Need:
    """Return the need of one of these drivers."""
    return Need(kind=NeedKind.DRIVER, at=" ".join(names))


def chosen(what: str) -> Need:
    """Return the need of a choice in the firm's profile: `time=ptp`."""
    return Need(kind=NeedKind.CHOSEN, at=what)


def hft(value: str) -> Want:
    """Wanted by hft alone."""
    return {LatencyTier.HFT: value}


def fast(value: str) -> Want:
    """Wanted by hft and intraday."""
    return {LatencyTier.HFT: value, LatencyTier.INTRADAY: value}


def slow(value: str) -> Want:
    """Wanted by daily and weekly."""
    return {LatencyTier.DAILY: value, LatencyTier.WEEKLY: value}


def not_hft(value: str) -> Want:
    """Wanted by every tier but hft."""
    return {tier: value for tier in LatencyTier if tier is not LatencyTier.HFT}


def every(value: str) -> Want:
    """Wanted by every tier."""
    return dict.fromkeys(LatencyTier, value)


def made(
    topic: Topic,
    means: Means,
    at: str,
    want: Want,
    why: str,
    source: str,
    *needs: Need,
    name: str = "",
    each: Each = Each.ONCE,
    compare: Compare = Compare.EQUAL,
    boot: bool = False,
) -> Setting:
    """Return a setting; `name` completes its id where what `at` says is too long for one."""
    return Setting(
        id=f"{means}.{name or at.replace(' ', '.')}",
        topic=topic,
        means=means,
        at=at,
        want=want,
        why=why,
        source=source,
        undo=UNDO[means],
        each=each,
        compare=compare,
        needs=needs,
        boot=boot or means is Means.CMDLINE,
    )
