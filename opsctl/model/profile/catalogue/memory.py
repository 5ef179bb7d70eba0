"""Memory: nothing of a trading thread is swapped out, moved, merged or gathered."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import READABLE, Want, fast, hft, made, option
from opsctl.model.profile.setting import Means, Setting, Topic
from opsctl.model.tiers import LatencyTier

_THP = option("CONFIG_TRANSPARENT_HUGEPAGE")
_MM = "/sys/kernel/mm"


def _vm(key: str, want: Want, why: str) -> Setting:
    return made(Topic.MEMORY, Means.SYSCTL, f"vm.{key}", want, why, sources.VM, READABLE)


SETTINGS = (
    _vm(
        "swappiness",
        {LatencyTier.HFT: "0", LatencyTier.INTRADAY: "1"},
        "Memory of programs is swapped out only before the kernel would kill one (0), or when "
        "little else is left (1): a page that has to be read back costs milliseconds.",
    ),
    _vm(
        "stat_interval",
        hft("120"),
        "Counters of memory are summed up every two minutes: each time is a wakeup on every CPU.",
    ),
    _vm(
        "compaction_proactiveness",
        hft("0"),
        "Memory is not moved about in the background to make it contiguous.",
    ),
    _vm(
        "zone_reclaim_mode",
        hft("0"),
        "A NUMA node that is full takes memory of another, rather than drop caches at once.",
    ),
    made(
        Topic.MEMORY,
        Means.SYSFS,
        f"{_MM}/transparent_hugepage/enabled",
        fast("never"),
        "No thread stops while the kernel gathers or splits huge pages; programs that want them "
        "ask for them.",
        sources.HUGE,
        _THP,
        READABLE,
        name="transparent_hugepage.enabled",
    ),
    made(
        Topic.MEMORY,
        Means.SYSFS,
        f"{_MM}/transparent_hugepage/defrag",
        fast("never"),
        "No thread waits while memory is made contiguous for it.",
        sources.HUGE,
        _THP,
        READABLE,
        name="transparent_hugepage.defrag",
    ),
    made(
        Topic.MEMORY,
        Means.SYSFS,
        f"{_MM}/ksm/run",
        hft("0"),
        "No search for equal pages: one that was merged has to be copied when it is written.",
        sources.KSM,
        READABLE,
        name="ksm.run",
    ),
)
