"""Interrupts and deferred work: where they may run, which is never a trading CPU."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import READABLE, fast, hft, made
from opsctl.model.profile.setting import Compare, Each, Means, Topic

SETTINGS = (
    made(
        Topic.INTERRUPTS,
        Means.IRQ,
        "{nic}",
        fast("{interrupts}"),
        "Interrupts of a trading NIC are served next to it, and by no CPU that trades.",
        sources.IRQ,
        READABLE,
        each=Each.NIC,
        compare=Compare.WITHIN,
    ),
    made(
        Topic.INTERRUPTS,
        Means.IRQ,
        "{nic}",
        hft("{housekeeping}"),
        "Drivers spread the interrupts of a NIC over every CPU: those of management too would "
        "come where threads trade. Nothing else of such a NIC is changed.",
        sources.IRQ,
        READABLE,
        name="other.{nic}",
        each=Each.OTHER_NIC,
        compare=Compare.WITHIN,
    ),
    made(
        Topic.INTERRUPTS,
        Means.SYSFS,
        "/proc/irq/default_smp_affinity",
        hft("{housekeeping_mask}"),
        "Interrupts of what is plugged in or set up later go to housekeeping CPUs.",
        sources.IRQ,
        READABLE,
        name="irq.default_smp_affinity",
        compare=Compare.CPUS,
    ),
    made(
        Topic.INTERRUPTS,
        Means.SYSFS,
        "/sys/devices/virtual/workqueue/cpumask",
        hft("{housekeeping_mask}"),
        "Work that the kernel defers, and that is bound to no CPU, is done by housekeeping ones.",
        sources.WORKQUEUE,
        READABLE,
        name="workqueue.cpumask",
        compare=Compare.CPUS,
    ),
    made(
        Topic.INTERRUPTS,
        Means.SYSFS,
        "/sys/bus/workqueue/devices/writeback/cpumask",
        hft("{housekeeping_mask}"),
        "Writing files back to disks is done by housekeeping CPUs.",
        sources.KTHREADS,
        READABLE,
        name="writeback.cpumask",
        compare=Compare.CPUS,
    ),
)
