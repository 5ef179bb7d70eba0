"""One setting of a server: where it lives, what is wanted, why, and what it takes.

A setting is a template: `{trading}`, `{housekeeping}`, `{interrupts}`, `{isolated}` stand for the
CPUs of the layout (`0-1,4`; with `_mask` appended for a hexadecimal mask), and one that is wanted
for each NIC, disk or CPU names it as `{nic}`, `{disk}`, `{cpu}`. `words` has them all.
"""

from __future__ import annotations

from enum import StrEnum

from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value


class Topic(StrEnum):
    """What a setting is about; a role of the playbooks bears the same name."""

    KERNEL = "kernel"
    CPU = "cpu"
    MEMORY = "memory"
    INTERRUPTS = "interrupts"
    NIC = "nic"
    SOCKETS = "sockets"
    STORAGE = "storage"
    CLOCK = "clock"
    LIMITS = "limits"
    SERVICES = "services"
    SECURITY = "security"
    ENGINE = "engine"


class Means(StrEnum):
    """Where a setting lives. Each has one way to be written and one to be read back."""

    CMDLINE = "cmdline"
    """`at`: a parameter of the kernel; read from /proc/cmdline. Empty for one without a value."""
    SYSCTL = "sysctl"
    """`at`: a key, with dots."""
    SYSFS = "sysfs"
    """`at`: a path under /sys or /proc. Of a choice (`always [never]`) the chosen word."""
    ETHTOOL = "ethtool"
    """`at`: `NIC GROUP KEY`: `eth1 ring rx`, `eth1 coalesce rx-usecs`, `eth1 feature gro`,
    `eth1 pause rx`, `eth1 channels combined`, `eth1 flow udp4`."""
    IRQ = "irq"
    """`at`: a NIC or disk; the CPUs that may serve its interrupts, as a list."""
    UNIT = "unit"
    """`at`: a unit of systemd: `on` (enabled and active) or `off` (masked and not running)."""
    PACKAGE = "package"
    """`at`: a package: `installed` or `absent`."""
    LIMIT = "limit"
    """`at`: `GROUP ITEM`, as in limits.conf; read back from a process of that group."""
    ACCOUNT = "account"
    """`at`: `user NAME` or `group NAME`: `present`, or the groups of the user, in order."""
    FILE = "file"
    """`at`: a path; the content wanted."""
    SSHD = "sshd"
    """`at`: a keyword, in lower case; as the running configuration has it (`sshd -T`)."""
    FIREWALL = "firewall"
    """`at`: `FAMILY TABLE`; the rules, as nft lists them without counters and handles."""
    MEASURED = "measured"
    """`at`: what is read and cannot be written: `clock offset_us`, `clock source`, `boot files`
    (which of the files that provisioning wrote for the next boot are not as it wrote them), or a
    path under /sys or /proc that only tells (`/sys/devices/system/cpu/isolated`)."""


class Compare(StrEnum):
    """When what was read fulfils what is wanted."""

    EQUAL = "equal"
    CPUS = "cpus"
    """The same CPUs, however they are written. Whether it is a list or a mask, `at` says: files
    of masks are named so (`rps_cpus`, `cpumask`); `10` alone could be either."""
    WITHIN = "within"
    """No CPU beyond those wanted."""
    AT_MOST = "at_most"
    AT_LEAST = "at_least"


class Each(StrEnum):
    """What a setting is wanted for."""

    ONCE = "once"
    NIC = "nic"
    """Each NIC that carries trading."""
    OTHER_NIC = "other_nic"
    """Each NIC that does not: it is kept away from the trading CPUs, and is never tuned."""
    ANY_NIC = "any_nic"
    """Each NIC, whatever it carries: what is not about speed."""
    QUEUE = "queue"
    """Each receive queue of each NIC that carries trading: `{nic}` and `{queue}`."""
    DISK = "disk"
    CPU = "cpu"
    TRADING_CPU = "trading_cpu"
    """Each CPU that the scheduler keeps everything away from."""


class NeedKind(StrEnum):
    """What a setting may need of a server."""

    BARE_METAL = "bare_metal"
    KERNEL_OPTION = "kernel_option"
    """`at`: an option the kernel was built with: `CONFIG_NO_HZ_FULL`."""
    DRIVER = "driver"
    """`at`: drivers of the NIC or disk, separated by spaces, of which it has one."""
    VENDOR = "vendor"
    """`at`: a vendor of the processor: `GenuineIntel`."""
    READABLE = "readable"
    """What the setting itself names is there and can be read: a key, a path, a ring."""
    HARDWARE_CLOCK = "hardware_clock"
    """A NIC with a clock of its own (PTP)."""
    SEVERAL_QUEUES = "several_queues"
    """The NIC has more than one queue in this layout."""
    CHOSEN = "chosen"
    """`at`: what the firm's profile has to say: `time=ptp`."""


class Need(Value):
    """Something a setting needs; without it the setting is not applicable, with the reason."""

    kind: NeedKind
    at: str = ""


class Setting(Value):
    """A setting of the catalogue."""

    id: str
    """Unique: `sysctl.vm.swappiness`; one for each NIC holds `{nic}`."""
    topic: Topic
    means: Means
    at: str
    want: dict[LatencyTier, str]
    """What each latency tier wants; a tier that is not named does not want it."""
    why: str
    source: str
    """Where it comes from: the title and address of a page that can be read."""
    undo: str
    """How it is undone, in words."""
    each: Each = Each.ONCE
    compare: Compare = Compare.EQUAL
    needs: tuple[Need, ...] = ()
    boot: bool = False
    """Whether it holds only after a reboot."""
