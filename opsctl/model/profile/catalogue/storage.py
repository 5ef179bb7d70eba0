"""Disks: what is written is handed to the device, without a queue that sorts it first."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import READABLE, driver, fast, hft, made
from opsctl.model.profile.setting import Each, Means, Topic

SETTINGS = (
    made(
        Topic.STORAGE,
        Means.SYSFS,
        "/sys/block/{disk}/queue/scheduler",
        fast("none"),
        "A solid-state or virtual disk sorts its requests itself; sorting them twice adds to "
        "each append of the journal.",
        sources.SCHEDULERS,
        driver("nvme", "virtio_blk"),
        READABLE,
        name="{disk}.scheduler",
        each=Each.DISK,
    ),
    made(
        Topic.STORAGE,
        Means.SYSFS,
        "/sys/block/{disk}/queue/rq_affinity",
        hft("1"),
        "A write is completed by the group of CPUs that asked for it, and not forced upon the "
        "very CPU.",
        sources.BLOCK,
        READABLE,
        name="{disk}.rq_affinity",
        each=Each.DISK,
    ),
    made(
        Topic.STORAGE,
        Means.SYSFS,
        "/sys/block/{disk}/queue/add_random",
        hft("0"),
        "Completions of a disk do not stop to give entropy to the pool of random numbers.",
        sources.BLOCK,
        READABLE,
        name="{disk}.add_random",
        each=Each.DISK,
    ),
)
