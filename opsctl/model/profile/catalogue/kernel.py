"""The kernel's command line, and what of it can be read back."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import (
    BARE_METAL,
    INTEL,
    READABLE,
    Want,
    hft,
    made,
    option,
)
from opsctl.model.profile.setting import Compare, Means, Need, Setting, Topic

_ISOLATION = option("CONFIG_CPU_ISOLATION")
_NO_HZ = option("CONFIG_NO_HZ_FULL")
_NOCB = option("CONFIG_RCU_NOCB_CPU")
_HUGE = option("CONFIG_HUGETLBFS")


def _word(name: str, want: Want, why: str, source: str, *needs: Need) -> Setting:
    return made(Topic.KERNEL, Means.CMDLINE, name, want, why, source, *needs)


def _told(
    name: str, at: str, want: Want, why: str, source: str, *needs: Need, compare: Compare
) -> Setting:
    """What the kernel made of its command line: a word there is not yet an isolated CPU."""
    return made(
        Topic.KERNEL,
        Means.MEASURED,
        at,
        want,
        why,
        source,
        *needs,
        name=name,
        compare=compare,
        boot=True,
    )


SETTINGS = (
    _word(
        "isolcpus",
        hft("managed_irq,domain,{isolated}"),
        "Nothing is scheduled on a trading CPU or its sibling but what is put there by hand; "
        "interrupts that the kernel manages keep away where they can.",
        sources.PARAMETERS,
        _ISOLATION,
    ),
    _word(
        "nohz_full",
        hft("{isolated}"),
        "The tick of the scheduler (250 a second) stops on a CPU that runs one thread.",
        sources.NO_HZ,
        _NO_HZ,
    ),
    _word(
        "rcu_nocbs",
        hft("{isolated}"),
        "Callbacks of RCU run on housekeeping CPUs, not where a thread trades.",
        sources.KTHREADS,
        _NOCB,
    ),
    _word(
        "rcu_nocb_poll",
        hft(""),
        "The threads that run those callbacks look for them, so that no trading CPU wakes them.",
        sources.KTHREADS,
        _NOCB,
    ),
    _word(
        "irqaffinity",
        hft("{housekeeping}"),
        "An interrupt that nobody has placed, of a device found later too, is served by "
        "housekeeping CPUs.",
        sources.PARAMETERS,
    ),
    _word(
        "intel_idle.max_cstate",
        hft("0"),
        "Leaving a deep idle state costs tens of microseconds; 0 gives idling to ACPI, which "
        "processor.max_cstate bounds.",
        sources.CPUIDLE,
        BARE_METAL,
        INTEL,
        option("CONFIG_INTEL_IDLE"),
    ),
    _word(
        "processor.max_cstate",
        hft("1"),
        "A CPU that idles halts and goes no deeper: it is back in about a microsecond.",
        sources.CPUIDLE,
        BARE_METAL,
    ),
    _word(
        "mitigations",
        hft("{mitigations}"),
        "Mitigations of speculative execution cost each system call and each context switch. "
        "They stay on (auto) unless the firm's profile says `mitigations: off`: that is right "
        "only where no code of others ever runs on the box. Slower tiers keep the default.",
        sources.MITIGATIONS,
    ),
    _word(
        "transparent_hugepage",
        hft("never"),
        "No thread stops while the kernel gathers or splits huge pages, from the first process on.",
        sources.HUGE,
        option("CONFIG_TRANSPARENT_HUGEPAGE"),
    ),
    _word(
        "default_hugepagesz",
        hft("2M"),
        "Huge pages that a program asks for are of this size.",
        sources.HUGETLB,
        _HUGE,
    ),
    _word(
        "hugepages",
        hft("{hugepages}"),
        "Huge pages for the buffers of the order path (about an eighth of the memory), taken at "
        "boot while memory is whole: fewer misses of the TLB.",
        sources.HUGETLB,
        _HUGE,
    ),
    _word(
        "skew_tick",
        hft("1"),
        "The ticks of the CPUs that have one are apart, and do not meet in the same locks.",
        sources.PARAMETERS,
    ),
    _word(
        "tsc",
        hft("reliable"),
        "The kernel does not watch the time stamp counter by a slower clock, nor leave it on a "
        "wrong suspicion: reading time stays a matter of nanoseconds. A virtual machine's may "
        "be scaled or stopped, so there the kernel goes on watching.",
        sources.PARAMETERS,
        BARE_METAL,
    ),
    _word(
        "nmi_watchdog",
        hft("0"),
        "No interrupt of the performance counters to look for lockups, and one more counter.",
        sources.WATCHDOG,
    ),
    _word(
        "nosoftlockup",
        hft(""),
        "A thread that spins for ever is no lockup here, and no watchdog has to wake on its CPU.",
        sources.WATCHDOG,
    ),
    _word(
        "audit",
        hft("0"),
        "With auditing on, every system call of every thread takes the slow path. What people do "
        "on the box is in the journal of sshd and sudo; slower tiers have auditd.",
        sources.PARAMETERS,
        option("CONFIG_AUDIT"),
    ),
    _told(
        "isolated",
        "/sys/devices/system/cpu/isolated",
        hft("{isolated}"),
        "What the scheduler really keeps away from: it may have refused the list it was given.",
        sources.PARAMETERS,
        _ISOLATION,
        compare=Compare.CPUS,
    ),
    _told(
        "nohz_full",
        "/sys/devices/system/cpu/nohz_full",
        hft("{isolated}"),
        "Where the tick really may stop.",
        sources.NO_HZ,
        _NO_HZ,
        compare=Compare.CPUS,
    ),
    _told(
        "hugepages",
        "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
        hft("{hugepages}"),
        "The huge pages that there really are: a short memory gives fewer than were asked for.",
        sources.HUGETLB,
        _HUGE,
        compare=Compare.AT_LEAST,
    ),
    made(
        Topic.KERNEL,
        Means.SYSCTL,
        "kernel.nmi_watchdog",
        hft("0"),
        "As on the command line, read back; a machine without performance counters has none.",
        sources.WATCHDOG,
        READABLE,
    ),
    made(
        Topic.KERNEL,
        Means.SYSCTL,
        "kernel.soft_watchdog",
        hft("0"),
        "As nosoftlockup on the command line, at once and read back.",
        sources.WATCHDOG,
        READABLE,
    ),
)
