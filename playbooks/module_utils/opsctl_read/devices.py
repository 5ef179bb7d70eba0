"""NICs and disks as devices: what drives them, where they are, who serves their interrupts."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import re
import socket
import struct
from array import array
from collections.abc import Iterable, Iterator
from os.path import realpath
from pathlib import Path

from ansible.module_utils.opsctl_read.answers import Answer, Answers
from ansible.module_utils.opsctl_read.cpus import as_list, of_list
from ansible.module_utils.opsctl_read.kernel import names, text

NET, BLOCK = "/sys/class/net", "/sys/block"
_ALL_ADDRESSES = 0x8912
_NO_DISK = re.compile(r"(loop|ram|zram|sr|fd|md|dm-|nbd)\d+")


def irq(ats: Iterable[str]) -> Answers:
    """Read the CPUs that may serve the interrupts of NICs and disks, as one list."""
    return {at: _interrupts(at) for at in ats}


def _interrupts(name: str) -> Answer:
    base = next((p for p in (f"{NET}/{name}", f"{BLOCK}/{name}") if Path(p).is_dir()), "")
    if not base:
        return Answer(None, f"there is no NIC or disk {name}")
    numbers = vectors(realpath(f"{base}/device"))
    if not numbers:
        return Answer(None, f"{name} has no interrupts")
    cpus: set[int] = set()
    managed, unsure = [], ""
    for number in numbers:
        try:
            if managed_by_kernel(number):
                managed.append(number)
                continue
        except PermissionError:
            unsure = "only root can tell which the kernel manages itself"
        except FileNotFoundError:
            continue  # given up in between, or never asked for by the driver
        cpus |= of_list(text(f"/proc/irq/{number}/smp_affinity_list"))
    if not cpus:
        return Answer(None, f"the kernel manages the {len(managed)} interrupts of {name} itself")
    note = f"{len(managed)} more are managed by the kernel itself" if managed else unsure
    return Answer(as_list(cpus), note)


def vectors(device: str) -> list[int]:
    """Return the numbers of a device's interrupts: its own, or of the device it is part of."""
    while device.startswith("/sys/devices/"):
        try:
            return sorted(int(name) for name in names(f"{device}/msi_irqs"))
        except FileNotFoundError:
            if Path(f"{device}/irq").exists():
                line = int(text(f"{device}/irq"))
                return [line] if line else []
        device = str(Path(device).parent)
    return []


def managed_by_kernel(number: int) -> bool:
    """Return whether the kernel lets nobody move an interrupt; raises `OSError`.

    It is given a word that is no list of CPUs: one that may be moved refuses the word, another
    refuses to be moved at all. Neither changes.
    """
    try:
        Path(f"/proc/irq/{number}/smp_affinity_list").write_text("none\n", "ascii")
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        if error.errno in (errno.EIO, errno.EPERM):
            return True
        raise
    return False


def nics(asked_from: str) -> list[dict]:
    """Return each NIC with a device behind it, as the model's `Nic`.

    `asked_from` is an address of this machine, by which whoever asks came in; may be empty.
    """
    kept = management(asked_from)
    found = []
    for name in names(NET):
        device = realpath(f"{NET}/{name}/device")
        if not Path(f"{NET}/{name}/device").is_dir():
            continue
        queues = names(f"{NET}/{name}/queues")
        found.append(
            {
                "name": name,
                "driver": driver(device),
                "mac": _or_empty(f"{NET}/{name}/address"),
                "node": node(device),
                "queues": sum(queue.startswith("rx-") for queue in queues),
                "management": name in kept,
                "hardware_clock": Path(f"{device}/ptp").is_dir(),
            }
        )
    return found


def management(asked_from: str) -> set[str]:
    """Return the NICs that SSH comes by, or would: those of that address and of default routes."""
    return _lowest({*_default_routes(), *_with_address(asked_from)})


def disks() -> list[dict]:
    """Return each disk, as the model's `Disk`."""
    found = []
    for name in names(BLOCK):
        device = realpath(f"{BLOCK}/{name}/device")
        if _NO_DISK.fullmatch(name) or not Path(f"{BLOCK}/{name}/device").is_dir():
            continue
        rotational = _or_empty(f"{BLOCK}/{name}/queue/rotational") == "1"
        found.append({"name": name, "driver": driver(device), "rotational": rotational})
    return found


def driver(device: str) -> str:
    """Return the driver of a device; of one without (a name space of NVMe) that of its parent."""
    for place in (device, realpath(f"{device}/device")):
        if Path(f"{place}/driver").exists():
            return Path(realpath(f"{place}/driver")).name
    return ""


def node(device: str) -> int:
    """Return the NUMA node of a device, or of what it is part of; -1 where no one knows."""
    while device.startswith("/sys/devices/"):
        if Path(f"{device}/numa_node").exists():
            return int(text(f"{device}/numa_node"))
        device = str(Path(device).parent)
    return -1


def asked_by(pid: int) -> str:
    """Return the address of this machine that the ssh session came to which a process is of.

    Empty where none can be told: on a console, or without root.
    """
    return session(pid)[1]


def session(pid: int) -> tuple[str, str]:
    """Return the address that an ssh session came from, and the one that it came to.

    sudo does not hand the session's variables on, so the ancestors are asked.
    """
    while pid > 1:
        try:
            for variable in text(f"/proc/{pid}/environ").split("\0"):
                name, _, value = variable.partition("=")
                if name == "SSH_CONNECTION" and len(value.split()) == 4:
                    return value.split()[0], value.split()[2]
            status = text(f"/proc/{pid}/stat")
        except OSError:
            break
        pid = int(status.rpartition(")")[2].split()[1])
    return "", ""


def _default_routes() -> set[str]:
    found = set()
    for line in _or_empty("/proc/net/route").splitlines()[1:]:
        fields = line.split("\t")
        if fields[1] == "00000000" and fields[7] == "00000000":
            found.add(fields[0])
    for line in _or_empty("/proc/net/ipv6_route").splitlines():
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            found.add(fields[9])
    return found


def _with_address(address: str) -> set[str]:
    """Return the interface that has an address."""
    if not address:
        return set()
    wanted = ipaddress.ip_address(address.partition("%")[0])
    if wanted.version == 6:
        rows = [line.split() for line in _or_empty("/proc/net/if_inet6").splitlines()]
        return {row[5] for row in rows if int(row[0], 16) == int(wanted)}
    return {name for name, has in _ipv4() if has == wanted.packed}


def _ipv4() -> Iterator[tuple[str, bytes]]:
    """Yield each interface with each IPv4 address that it has, the further ones too."""
    size = 40
    room = array("B", bytes(size * 1024))
    at, _ = room.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        given = struct.pack("iP", len(room), at)
        length, _ = struct.unpack("iP", fcntl.ioctl(any_socket, _ALL_ADDRESSES, given))
    for start in range(0, length, size):
        name, address = struct.unpack_from("16s4x4s", room, start)
        yield name.rstrip(b"\0").decode().partition(":")[0], address


def _lowest(above: set[str]) -> set[str]:
    """Return the NICs below bonds, bridges and VLANs, with these themselves."""
    found: set[str] = set()
    waiting = list(above)
    while waiting:
        name = waiting.pop()
        if name in found or not Path(f"{NET}/{name}").is_dir():
            continue
        found.add(name)
        below = (each.partition("lower_") for each in names(f"{NET}/{name}"))
        waiting.extend(lower for before, mark, lower in below if mark and not before)
    return found


def _or_empty(path: str) -> str:
    try:
        return text(path).strip()
    except OSError:
        return ""
