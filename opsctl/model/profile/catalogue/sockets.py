"""Sockets: room for bursts, polling instead of waiting, no waiting for more to send."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import READABLE, Want, fast, hft, made
from opsctl.model.profile.setting import Compare, Means, Setting, Topic

_BUFFER = "16777216"


def _net(key: str, want: Want, why: str, source: str, compare: Compare = Compare.EQUAL) -> Setting:
    return made(
        Topic.SOCKETS, Means.SYSCTL, f"net.{key}", want, why, source, READABLE, compare=compare
    )


SETTINGS = (
    _net(
        "core.busy_poll",
        hft("50"),
        "A thread that polls or selects looks at the NIC's queue itself for up to 50 us, before "
        "it waits for an interrupt.",
        sources.NET,
    ),
    _net("core.busy_read", hft("50"), "So does a thread that reads.", sources.NET),
    _net(
        "core.rmem_max",
        fast(_BUFFER),
        "An app may ask for 16 MiB to receive into: a burst of the market waits there rather "
        "than being dropped.",
        sources.NET,
        Compare.AT_LEAST,
    ),
    _net("core.wmem_max", fast(_BUFFER), "And to send from.", sources.NET, Compare.AT_LEAST),
    _net(
        "ipv4.tcp_rmem",
        fast(f"4096 131072 {_BUFFER}"),
        "TCP may grow its buffers as far.",
        sources.IP,
    ),
    _net("ipv4.tcp_wmem", fast(f"4096 65536 {_BUFFER}"), "In both directions.", sources.IP),
    _net(
        "core.netdev_max_backlog",
        fast("10000"),
        "Packets that wait for their CPU in the kernel are dropped beyond this many.",
        sources.NET,
        Compare.AT_LEAST,
    ),
    _net(
        "core.netdev_budget_usecs",
        hft("8000"),
        "A CPU that serves interrupts goes on for 8 ms before it lets others run: it has no "
        "other work.",
        sources.NET,
    ),
    _net(
        "core.rps_sock_flow_entries",
        hft("0"),
        "Packets are not handed to the CPU of their reader by software.",
        sources.SCALING,
    ),
    _net(
        "ipv4.tcp_slow_start_after_idle",
        fast("0"),
        "A FIX session that was silent sends its next order as fast as the one before.",
        sources.IP,
    ),
    _net(
        "ipv4.tcp_autocorking",
        fast("0"),
        "A small message is not held back for more that might follow.",
        sources.IP,
    ),
)
