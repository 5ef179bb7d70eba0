"""Servers as values: what tests of profiles put settings onto."""

from __future__ import annotations

from opsctl.model.profile.box import Box, Cpu, Disk, Nic
from opsctl.model.profile.resolve import options


def cpus(cores: int, *, threads: int = 1, sockets: int = 1) -> tuple[Cpu, ...]:
    """Return the CPUs of a machine, numbered as Linux does: siblings come after all cores."""
    per_socket = cores // sockets
    return tuple(
        Cpu(
            cpu=thread * cores + core,
            core=core % per_socket,
            socket=core // per_socket,
            node=core // per_socket,
        )
        for thread in range(threads)
        for core in range(cores)
    )


def nic(name: str, **changes: object) -> Nic:
    """Return a trading NIC with four queues."""
    plain: dict[str, object] = {
        "name": name,
        "driver": "igb",
        "mac": "52:54:00:00:00:02",
        "node": -1,
        "queues": 4,
        "management": False,
        "hardware_clock": False,
    }
    return Nic.model_validate({**plain, **changes})


def box(**changes: object) -> Box:
    """Return a server of bare metal with four cores, a NIC of management and one for trading."""
    plain: dict[str, object] = {
        "hostname": "box1",
        "machine_id": "0123456789abcdef0123456789abcdef",
        "distribution": "debian",
        "version": "12",
        "architecture": "x86_64",
        "kernel": "6.1.0-31-amd64",
        "kernel_options": dict.fromkeys(options(), "y"),
        "virtual": "none",
        "vendor": "GenuineIntel",
        "cpus": cpus(4),
        "memory_bytes": 15_900 << 20,  # of 16 GiB: the kernel keeps some for itself
        "boot_free_bytes": 1 << 30,
        "bootloader": "grub",
        "nics": (nic("eth0", management=True), nic("eth1")),
        "disks": (Disk(name="nvme0n1", driver="nvme", rotational=False),),
    }
    return Box.model_validate({**plain, **changes})
