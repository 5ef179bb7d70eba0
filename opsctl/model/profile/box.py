"""A server as it was found: what the playbooks' `read_box` collects."""

from __future__ import annotations

from opsctl.model.profile.setting import Means
from opsctl.model.value import Value


class Cpu(Value):
    """A logical CPU: its number, and the core, socket and NUMA node that it is of."""

    cpu: int
    core: int
    socket: int
    node: int


class Nic(Value):
    """A network interface with a device behind it."""

    name: str
    driver: str
    mac: str
    node: int
    """Its NUMA node; -1 where the kernel does not know."""
    queues: int
    """Receive queues."""
    management: bool
    """Whether it carries the default route or the connection that asked; never for trading."""
    hardware_clock: bool


class Disk(Value):
    """A block device that is not a partition."""

    name: str
    driver: str
    rotational: bool


class Box(Value):
    """What a server is, apart from its settings."""

    hostname: str
    machine_id: str
    distribution: str
    """`ID` of /etc/os-release: `debian`."""
    version: str
    """`VERSION_ID`: `12`."""
    architecture: str
    kernel: str
    kernel_options: dict[str, str]
    """Of the options that settings name, those the kernel was built with: `y`, `m` or a value."""
    virtual: str
    """What systemd-detect-virt says; `none` on bare metal."""
    vendor: str
    """Of the processor: `GenuineIntel`, `AuthenticAMD`."""
    cpus: tuple[Cpu, ...]
    memory_bytes: int
    boot_free_bytes: int
    """Free under /boot."""
    bootloader: str
    """`grub`; empty where it is another."""
    nics: tuple[Nic, ...]
    disks: tuple[Disk, ...]
    owner: str = ""
    """Whose it is, by the claim that lies on it; empty: nobody's."""


class Ask(Value):
    """A setting to be read, where it lives."""

    means: Means
    at: str


class Reading(Value):
    """What was read of one; no value where it cannot be told, with the reason.

    A file, package, account, limit or table of rules that is not there is `absent`: that can be
    told. A reason beside a value is a note: `fixed by the driver`, `the NIC takes at most 256`.
    """

    means: Means
    at: str
    value: str | None
    reason: str = ""
