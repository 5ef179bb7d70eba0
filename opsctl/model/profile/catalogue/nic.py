"""Trading NICs: what arrives is handed on at once, by the queue and the CPU that were chosen.

Those of management are never tuned.
"""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import (
    QUEUES,
    READABLE,
    Want,
    fast,
    hft,
    made,
    option,
)
from opsctl.model.profile.setting import Compare, Each, Means, Need, Setting, Topic

_BUSY_POLL = option("CONFIG_NET_RX_BUSY_POLL")
"""PREEMPT_RT has none; without it, deferring interrupts would only delay packets."""


def _ethtool(what: str, want: Want, why: str, *needs: Need, source: str = "") -> Setting:
    return made(
        Topic.NIC,
        Means.ETHTOOL,
        f"{{nic}} {what}",
        want,
        why,
        source or sources.REDHAT_NETWORK,
        *needs,
        READABLE,
        each=Each.NIC,
        compare=Compare.AT_LEAST if what.startswith("ring") else Compare.EQUAL,
    )


def _off(feature: str, why: str) -> Setting:
    return _ethtool(f"feature {feature}", hft("off"), why, source=sources.ETHTOOL)


def _sysfs(
    name: str, file: str, want: Want, why: str, source: str, *needs: Need, each: Each = Each.NIC
) -> Setting:
    return made(
        Topic.NIC,
        Means.SYSFS,
        f"/sys/class/net/{{nic}}/{file}",
        want,
        why,
        source,
        *needs,
        READABLE,
        name=f"{{nic}}.{name}",
        each=each,
        compare=Compare.CPUS if file.endswith("_cpus") else Compare.EQUAL,
    )


SETTINGS = (
    made(
        Topic.NIC,
        Means.PACKAGE,
        "ethtool",
        fast("installed"),
        "What sets rings, coalescing and offloads, at boot too; a small Debian comes without.",
        sources.ETHTOOL,
    ),
    _ethtool(
        "channels combined",
        hft("{queues}"),
        "One queue for each CPU that serves interrupts: more would share a CPU and be polled in "
        "turn.",
        source=sources.SCALING,
    ),
    _ethtool(
        "ring rx",
        fast("1024"),
        "A burst of the market finds room in the ring while its CPU is busy; a packet that is "
        "dropped costs a gap in the feed. Where the NIC takes fewer, the most that it takes.",
    ),
    _ethtool(
        "coalesce adaptive-rx",
        fast("off"),
        "The NIC does not begin to hold packets back when there are many, which is when they "
        "matter.",
    ),
    _ethtool("coalesce adaptive-tx", hft("off"), "Nor the completion of what was sent."),
    _ethtool(
        "coalesce rx-usecs",
        hft("0"),
        "A packet interrupts when it arrives, not some microseconds later with others.",
    ),
    _ethtool("coalesce tx-usecs", hft("0"), "Buffers of sent packets are free again at once."),
    _off("gro", "Packets are handed up one by one, not gathered into larger ones first."),
    _off("lro", "Nor does the NIC gather them."),
    _off("tso", "Orders fit one packet: nothing is to be cut up, by the NIC's own schedule."),
    _off("gso", "Nor by the kernel's."),
    _ethtool(
        "feature ntuple",
        hft("on"),
        "Flows can be steered to the queue whose CPU serves the feed; the rules name the venue's "
        "addresses, and are the firm's own settings.",
        source=sources.SCALING,
    ),
    _ethtool(
        "flow udp4",
        hft("sdfn"),
        "Feeds of one group and several ports are spread over the queues by port too, and one "
        "feed stays on one queue.",
        source=sources.ETHTOOL,
    ),
    _ethtool(
        "pause autoneg",
        hft("off"),
        "Pause frames are as said here, not as the switch proposes.",
        source=sources.ETHTOOL,
    ),
    _ethtool(
        "pause rx",
        hft("off"),
        "A switch that is congested elsewhere cannot stop our orders.",
        source=sources.ETHTOOL,
    ),
    _ethtool(
        "pause tx",
        hft("off"),
        "We do not stop the switch, which would stop the feeds of others with ours.",
        source=sources.ETHTOOL,
    ),
    _sysfs(
        "mtu",
        "mtu",
        hft("1500"),
        "Venues speak in frames of 1500; a larger one is dropped on the way, and found out late. "
        "A firm whose network has jumbo frames says so in its profile.",
        sources.REDHAT_NETWORK,
    ),
    _sysfs(
        "rps",
        "queues/rx-{queue}/rps_cpus",
        hft("0"),
        "Packets are handled by the CPU that was interrupted, not handed to another by software.",
        sources.SCALING,
        each=Each.QUEUE,
    ).model_copy(update={"id": "sysfs.{nic}.rx-{queue}.rps"}),
    _sysfs(
        "xps",
        "queues/tx-{queue}/xps_cpus",
        hft("{queue_mask}"),
        "Each trading CPU has a queue of its own to send by, where there are several, and never "
        "waits for another's lock.",
        sources.SCALING,
        QUEUES,
        each=Each.QUEUE,
    ).model_copy(update={"id": "sysfs.{nic}.tx-{queue}.xps"}),
    _sysfs(
        "napi_defer_hard_irqs",
        "napi_defer_hard_irqs",
        hft("2"),
        "While a thread polls the queue, the NIC does not interrupt as well.",
        sources.NAPI,
        _BUSY_POLL,
    ),
    _sysfs(
        "gro_flush_timeout",
        "gro_flush_timeout",
        hft("20000"),
        "If no thread polls, a packet is taken after 20 microseconds at the latest (given in ns).",
        sources.NAPI,
        _BUSY_POLL,
    ),
)
