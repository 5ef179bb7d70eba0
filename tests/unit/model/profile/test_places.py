"""What a place and a value of each means look like."""

from __future__ import annotations

import pytest

from opsctl.model.profile.places import wrong
from opsctl.model.profile.setting import Means


@pytest.mark.parametrize(
    ("means", "at", "want"),
    [
        (Means.CMDLINE, "nohz_full", "2-3 init=/bin/sh"),
        (Means.CMDLINE, "nohz_full", '"2-3"'),
        (Means.CMDLINE, "nohz full", "1"),
        (Means.SYSCTL, "swappiness", "1"),
        (Means.SYSCTL, "vm.swappiness", "1\nkernel.panic = 1"),
        (Means.SYSCTL, "vm.swappiness", ""),
        (Means.SYSCTL, "vm.swappiness = 1", "1"),
        (Means.SYSFS, "/etc/passwd", "1"),
        (Means.SYSFS, "/sys/../etc/passwd", "1"),
        (Means.SYSFS, "/sys/x y", "1"),
        (Means.FILE, "etc/x", ""),
        (Means.FILE, "/etc/..", ""),
        (Means.FILE, "/etc/./x", ""),
        (Means.FILE, "/etc/", ""),
        (Means.ETHTOOL, "eth1 ring", "1"),
        (Means.ETHTOOL, "eth1 rings rx", "1"),
        (Means.IRQ, "eth1 eth2", "1"),
        (Means.UNIT, "irqbalance", "off"),
        (Means.UNIT, "irqbalance.service", "masked"),
        (Means.PACKAGE, "chrony; reboot", "installed"),
        (Means.PACKAGE, "chrony", "latest"),
        (Means.LIMIT, "trading files", "1"),
        (Means.LIMIT, "@trading nofile", "1"),
        (Means.ACCOUNT, "trading", "present"),
        (Means.ACCOUNT, "user Ops", "present"),
        (Means.SSHD, "PermitRootLogin", "no"),
        (Means.FIREWALL, "mine", "table inet mine {}"),
        (Means.MEASURED, "clock drift", "1"),
    ],
)
def test_what_would_do_something_else_than_it_says_is_refused(
    means: Means, at: str, want: str
) -> None:
    ((field, problem),) = wrong(means, at, want)
    assert problem.startswith(f"of {means} must be ")
    assert field in ("at", "want")


@pytest.mark.parametrize(
    ("means", "at", "want"),
    [
        (Means.CMDLINE, "isolcpus", "managed_irq,domain,{isolated}"),
        (Means.CMDLINE, "nosoftlockup", ""),
        (Means.SYSCTL, "net.ipv4.conf.eth1/100.rp_filter", "2"),
        (Means.SYSFS, "/proc/irq/default_smp_affinity", "1"),
        (Means.FILE, "/etc/modprobe.d/..x", "a\nb\n"),
        (Means.FILE, "/etc/x", ""),
        (Means.ETHTOOL, "eth1.100 feature rx-gro-hw", "off"),
        (Means.UNIT, "ptp4l@{nic}.service", "on"),
        (Means.ACCOUNT, "user trading", "trading,docker"),
        (Means.MEASURED, "/sys/devices/system/cpu/isolated", "1"),
    ],
)
def test_what_is_meant_is_taken(means: Means, at: str, want: str) -> None:
    assert list(wrong(means, at, want)) == []
