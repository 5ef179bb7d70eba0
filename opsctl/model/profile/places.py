"""What a place and a value of each means look like; pure.

A firm's own settings are checked by it before anything is run: a line break in a sysctl or a
path that leads elsewhere would do something else on the box than it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsctl.model.profile.setting import Means

_NAME = r"[A-Za-z0-9_.:@{}+-]+"
_FIRMLY_BELOW = r"(?:/(?!\.\.?(?:/|$))[^/\s]+)+"
"""One or more names, none of which leads up."""

_AT: dict[Means, tuple[str, str]] = {
    Means.CMDLINE: (r"[A-Za-z0-9_.-]+", "a parameter of the kernel, such as nohz_full"),
    Means.SYSCTL: (r"[a-z0-9_]+(?:\.[A-Za-z0-9_{}/:-]+)+", "a key such as vm.swappiness"),
    Means.SYSFS: (rf"/(?:sys|proc){_FIRMLY_BELOW}", "a path under /sys or /proc"),
    Means.ETHTOOL: (
        rf"{_NAME} (?:ring|coalesce|feature|pause|channels|flow) {_NAME}",
        "NIC GROUP KEY, such as eth1 ring rx",
    ),
    Means.IRQ: (_NAME, "a NIC or disk"),
    Means.UNIT: (
        rf"{_NAME}\.(?:service|timer|socket|target|mount|path|slice)",
        "a unit with its kind, such as irqbalance.service",
    ),
    Means.PACKAGE: (r"[a-z0-9][a-z0-9+.-]+", "a package such as chrony"),
    Means.LIMIT: (
        (
            r"[a-z_][a-z0-9_-]* (?:core|data|fsize|memlock|nofile|rss|stack|cpu|nproc|as|locks"
            r"|sigpending|msgqueue|nice|rtprio)"
        ),
        "GROUP ITEM, such as trading memlock",
    ),
    Means.ACCOUNT: (r"(?:user|group) [a-z_][a-z0-9_-]*", "user NAME or group NAME"),
    Means.FILE: (_FIRMLY_BELOW, "the path of a file, from / on"),
    Means.SSHD: (r"[a-z0-9]+", "a keyword of sshd in lower case"),
    Means.FIREWALL: (
        r"(?:inet|ip|ip6|arp|bridge|netdev) [A-Za-z_][A-Za-z0-9_]*",
        "FAMILY TABLE, such as inet mine",
    ),
    Means.MEASURED: (
        rf"clock (?:offset_us|source)|boot files|/(?:sys|proc){_FIRMLY_BELOW}",
        "clock offset_us, clock source, boot files, or a path under /sys or /proc",
    ),
}
_LINE = (r"[^\n\r\0]+", "one line of text")
_WANT: dict[Means, tuple[str, str]] = {
    Means.CMDLINE: (r"[A-Za-z0-9_.,:=/+@%*!~^()\[\]{}-]*", "a word without spaces or quotes"),
    Means.UNIT: ("on|off", "on or off"),
    Means.PACKAGE: ("installed|absent", "installed or absent"),
    Means.FILE: (r"[^\0]*", "text"),
    Means.FIREWALL: (r"[^\0]+", "the rules of the table"),
}


def wrong(means: Means, at: str, want: str) -> Iterator[tuple[str, str]]:
    """Yield `at` or `want` with what it must be, where it is not."""
    for field, value, (form, said) in (
        ("at", at, _AT[means]),
        ("want", want, _WANT.get(means, _LINE)),
    ):
        if not re.fullmatch(form, value):
            yield field, f"of {means} must be {said}"
