"""What a server is, apart from its settings: the fields of the model's `Box`."""

from __future__ import annotations

import gzip
import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path

from ansible.module_utils.opsctl_read import devices
from ansible.module_utils.opsctl_read.answers import Unreadable, run
from ansible.module_utils.opsctl_read.cpus import of_list
from ansible.module_utils.opsctl_read.kernel import names, text

CPU = "/sys/devices/system/cpu"
_OPTION = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)


def facts(options: Iterable[str]) -> dict:
    """Return them all; what cannot be read is empty, or 0."""
    release = os_release(_or_empty("/etc/os-release"))
    kernel = platform.release()
    return {
        "hostname": platform.node(),
        "machine_id": _or_empty("/etc/machine-id").strip(),
        "distribution": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "architecture": platform.machine(),
        "kernel": kernel,
        "kernel_options": built_with(_kernel_config(kernel), options),
        "virtual": _virtual(),
        "vendor": vendor(_or_empty("/proc/cpuinfo")),
        "cpus": _cpus(),
        "memory_bytes": memory_bytes(_or_empty("/proc/meminfo")),
        "boot_free_bytes": _boot_free_bytes(),
        "bootloader": "grub" if Path("/boot/grub/grub.cfg").exists() else "",
        "nics": devices.nics(devices.asked_by(os.getpid())),
        "disks": devices.disks(),
    }


def os_release(content: str) -> dict[str, str]:
    """Return the fields of /etc/os-release."""
    pairs = (line.partition("=") for line in content.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def built_with(config: str, options: Iterable[str]) -> dict[str, str]:
    """Return of the options named those that a kernel was built with: `y`, `m` or a value."""
    wanted = set(options)
    return {name: value.strip('"') for name, value in _OPTION.findall(config) if name in wanted}


def vendor(cpuinfo: str) -> str:
    """Return the processor's vendor."""
    found = re.search(r"^vendor_id\s*:\s*(\S+)", cpuinfo, re.MULTILINE)
    return found[1] if found else ""


def memory_bytes(meminfo: str) -> int:
    """Return the memory that the kernel has."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _cpus() -> list[dict]:
    """Return each CPU that is online; topology is known of no other."""
    nodes = {
        cpu: int(name[4:])
        for name in _listed("/sys/devices/system/node")
        if re.fullmatch(r"node\d+", name)
        for cpu in of_list(_or_empty(f"/sys/devices/system/node/{name}/cpulist"))
    }
    found = []
    for cpu in sorted(of_list(text(f"{CPU}/online"))):
        topology = f"{CPU}/cpu{cpu}/topology"
        found.append(
            {
                "cpu": cpu,
                "core": _number(f"{topology}/core_id"),
                "socket": _number(f"{topology}/physical_package_id"),
                "node": nodes.get(cpu, 0),
            }
        )
    return found


def _kernel_config(release: str) -> str:
    beside = _or_empty(f"/boot/config-{release}")
    if beside:
        return beside
    try:
        with gzip.open("/proc/config.gz", "rt", encoding="utf-8") as handle:
            return handle.read()
    except OSError:
        return ""


def _virtual() -> str:
    try:
        return run("systemd-detect-virt").out.strip() or "none"
    except Unreadable:
        return ""


def _boot_free_bytes() -> int:
    try:
        there = os.statvfs("/boot")
    except OSError:
        return 0
    return there.f_bavail * there.f_frsize


def _number(path: str) -> int:
    try:
        return int(text(path))
    except (OSError, ValueError):
        return 0


def _listed(folder: str) -> list[str]:
    try:
        return names(folder)
    except OSError:
        return []


def _or_empty(path: str) -> str:
    try:
        return text(path)
    except OSError:
        return ""
