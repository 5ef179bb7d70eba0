"""What the disk of a guest holds: a fresh Debian server, and packages that it may install later.

The guest has no internet. What a profile installs comes from `REPOSITORY`, a package
repository on its own disk, so that the suite works the same on every machine.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

_FORMAT = 1
SUITE = "bookworm"
REPOSITORY = "/srv/packages"
CONSOLE = "console=ttyS0,115200"
MANAGEMENT_MAC = "52:54:00:00:00:01"
TRADING_MACS = ("52:54:00:00:00:02", "52:54:00:00:00:03")

FRESH = (
    *("systemd", "systemd-sysv", "systemd-timesyncd", "dbus", "udev", "kmod", "libpam-systemd"),
    *("openssh-server", "sudo", "python3", "iproute2", "ethtool", "procps", "nftables", "netbase"),
    *("grub-pc", "grub-pc-bin", "initramfs-tools", "lz4", "cron", "logrotate"),
    *("unattended-upgrades", "irqbalance", "ca-certificates"),
)
"""What is installed on a server as it arrives, the kernel apart; irqbalance and the timers of
unattended upgrades run on it, as they do on many. No man-db: at each package it would read its
index anew, for half a minute under emulation."""

LATER = (
    *("chrony", "linuxptp", "auditd", "rt-tests", "docker.io", "iptables", "linux-cpupower"),
    *("numactl", "cpufrequtils"),
)
"""What a profile or a test may install: these and all they need lie in `REPOSITORY`."""

# Read from the tree while its packages are set up; the initial RAM disk then takes a second to
# unpack and not ten, as only the drivers of this guest's disk are in it.
INITRAMFS = {
    "etc/initramfs-tools/conf.d/guest.conf": "MODULES=list\nCOMPRESS=lz4\nRESUME=none\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
}

FILES = {
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 guest\n",
    "etc/apt/sources.list": f"deb [trusted=yes] file:{REPOSITORY} ./\n",
    "etc/systemd/network/05-management.network": (
        f"[Match]\nPermanentMACAddress={MANAGEMENT_MAC}\n"
        "[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nIPv6AcceptRA=no\n"
        "LinkLocalAddressing=no\n"
    ),
    "etc/systemd/network/10-trading.network": (
        f"[Match]\nPermanentMACAddress={' '.join(TRADING_MACS)}\n"
        "[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n[Link]\nRequiredForOnline=no\n"
    ),
    "etc/ssh/sshd_config.d/10-guest.conf": "UseDNS no\nPrintMotd no\n",
    "etc/default/grub": (
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\n"
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'
        f'GRUB_CMDLINE_LINUX="{CONSOLE}"\n'
        "GRUB_TERMINAL=serial\n"
        'GRUB_SERIAL_COMMAND="serial --speed=115200"\nGRUB_DISABLE_OS_PROBER=true\n'
    ),
    "etc/sudoers.d/ops": "ops ALL=(ALL:ALL) NOPASSWD: ALL\n",
}
"""By path in the tree; the fstab and the boot menu name the disk, and are written with it."""

DROPPED = (
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"),
    *(f"/lib/modules/*/kernel/{part}/*" for part in ("sound", "drivers/gpu", "drivers/media")),
    *(f"/lib/modules/*/kernel/drivers/{part}/*" for part in ("net/wireless", "infiniband")),
)
"""Files of packages that are not unpacked: no test looks at them."""


@dataclass(frozen=True)
class Definition:
    """Which disk; equal ones are the same file."""

    kernel: str = "linux-image-amd64"
    """Debian's package: `linux-image-rt-amd64` for the one with PREEMPT_RT."""
    disk_bytes: int = 5 << 30

    @property
    def digest(self) -> str:
        """Of everything that the disk is made from, but the day's versions of the packages."""
        parts = (_FORMAT, SUITE, self.kernel, self.disk_bytes, FRESH, LATER, INITRAMFS, FILES)
        told = json.dumps([*parts, DROPPED, _builder()], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def _builder() -> str:
    """Return the code that makes it: another way to make a disk is another disk."""
    return Path(__file__).with_name("image.py").read_text("utf-8")
