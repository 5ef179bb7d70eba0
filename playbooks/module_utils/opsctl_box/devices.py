#!/usr/bin/env python3
"""NICs and disks: ethtool, CPUs for their interrupts, files under /sys, links and addresses.

The kernel forgets these whenever a device comes anew. So this file is a program as well, which
stands by itself: `devices.py NAME`, started by systemd for each device, makes everything hold
that lies in /etc/opsctl/devices/NAME/, reads back, and ends with 1 where something does not.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

FOLDER = "/etc/opsctl/devices"
ORDER = ("channels", "ring", "coalesce", "feature", "pause", "flow")
"""Of the groups of ethtool: another number of channels makes new rings with their defaults."""
MEANS = ("ethtool", "sysfs", "irq", "link", "address")
"""Of the means, in this order: another number of channels places interrupts anew, and a ring of
another size takes the link down and up again."""
CARRIER_S = 10.0
"""How long a NIC that has just come up may take."""
PROBE_S = 0.4
PROBES = 3
"""How long, and how often, whoever holds an address is asked for (RFC 5227 takes 3 as well)."""
ARP = 0x0806
_ASK = {"channels": "-l", "ring": "-g", "coalesce": "-c", "feature": "-k", "pause": "-a"}
_TELL = {"channels": "-L", "ring": "-G", "coalesce": "-C", "feature": "-K", "pause": "-A"}
_LONG = {
    "rx": "rx-checksumming",
    "tx": "tx-checksumming",
    "sg": "scatter-gather",
    "tso": "tcp-segmentation-offload",
    "gso": "generic-segmentation-offload",
    "gro": "generic-receive-offload",
    "lro": "large-receive-offload",
    "rxvlan": "rx-vlan-offload",
    "txvlan": "tx-vlan-offload",
    "ntuple": "ntuple-filters",
    "rxhash": "receive-hashing",
}
"""Of the features: short names, which ethtool takes but does not print."""
_HASHED = {"VLAN tag": "v", "IP SA": "s", "IP DA": "d"}
_MASKS = re.compile(r"(cpumask|rps_cpus|xps_cpus|smp_affinity|cpumap)$")
_LISTS = re.compile(r"(_list|isolated|nohz_full|cpulist)$")


def files(topic: str, means: str, wants: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the files that keep what is wanted of each device."""
    return {
        f"{FOLDER}/{name}/{topic}.{means}.json": json.dumps(of, indent=1, sort_keys=True) + "\n"
        for name, of in wants.items()
    }


def pattern(topic: str, means: str) -> str:
    """Return what the files of a topic match."""
    return f"{FOLDER}/*/{topic}.{means}.json"


def chosen(text: str | None) -> str | None:
    """Return the value of a file of the kernel; of a choice (`always [never]`) the chosen word."""
    if text is None:
        return None
    found = re.search(r"\[([^\]]+)\]", text)
    return found[1] if found else " ".join(text.split())


def same(path: str, one: str, other: str) -> bool:
    """Return whether two values of a file mean the same; masks and lists of CPUs by the CPUs."""
    try:
        if _MASKS.search(path):
            return int(one.replace(",", ""), 16) == int(other.replace(",", ""), 16)
        if _LISTS.search(path):
            return cpus(one) == cpus(other)
    except ValueError:
        return False
    return one.split() == other.split()


def cpus(text: str) -> set[int]:
    """Return the CPUs of a list: `0-1,4`. Raises `ValueError`."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return found


def ethtool_read(nic: str, group: str, run) -> dict[str, str]:
    """Return what a NIC has of a group, by key; empty where it has no such group.

    `run` takes a command and returns its code, output and errors.
    """
    if group == "flow":
        return {}
    code, text, _ = run("ethtool", _ASK[group], nic)
    return {} if code else ethtool_parsed(group, text)


def ethtool_parsed(group: str, text: str) -> dict[str, str]:
    """Read the text of `ethtool -g`, `-c`, `-k`, `-a` or `-l`; of limits and values the values."""
    if "Current hardware settings:" in text:
        text = text.split("Current hardware settings:", 1)[1]
    found = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon or not value.strip():
            continue
        if group == "coalesce" and key.strip() == "Adaptive RX":
            words = line.replace(":", " ").split()
            found["adaptive-rx"], found["adaptive-tx"] = words[2], words[4]
            continue
        name = key.strip().lower()
        if group == "pause":
            name = {"autonegotiate": "autoneg"}.get(name, name)
        elif group != "feature":
            name = name.replace(" ", "-")
        found[name] = value.split()[0]
    if group == "feature":
        found.update({short: found[full] for short, full in _LONG.items() if full in found})
    return found


def flow_read(nic: str, kind: str, run) -> str | None:
    """Return which fields of a packet choose its queue: `sdfn`; None where none is told."""
    code, text, _ = run("ethtool", "-n", nic, "rx-flow-hash", kind)
    letters = "".join(letter for name, letter in _HASHED.items() if name in text)
    if "bytes 0 & 1" in text:
        letters += "f"
    if "bytes 2 & 3" in text:
        letters += "n"
    return None if code or not letters else letters


def ethtool_write(nic: str, group: str, wants: dict[str, str], run) -> str:
    """Tell a NIC what it is to have of one group; return why it did not, else nothing.

    Some versions of ethtool print an error and end with 0: what counts is what is read after.
    """
    told = []
    if group == "flow":
        told = [run("ethtool", "-N", nic, "rx-flow-hash", *item) for item in wants.items()]
    else:
        pairs = [word for item in wants.items() for word in item]
        told = [run("ethtool", _TELL[group], nic, *pairs)]
    return "; ".join((err or out).strip() for code, out, err in told if code or err)


def interrupts(name: str, root: str = "/") -> list[str]:
    """Return the numbers of a NIC's or disk's own interrupts.

    They belong to the device on the bus, which may be some folders above the NIC's or disk's own.
    """
    for start in (Path(root, "sys/class/net", name), Path(root, "sys/block", name)):
        if not start.exists():
            continue
        for above in [place := (start / "device").resolve(), *place.parents]:
            if (above / "msi_irqs").is_dir():
                numbers = (one.name for one in (above / "msi_irqs").iterdir())
                there = (one for one in numbers if Path(root, "proc/irq", one).is_dir())
                return sorted(there, key=int)
    return []


def irq_read(name: str, root: str = "/") -> dict[str, str]:
    """Return the CPUs that may serve each interrupt of a device that can be moved.

    The kernel manages some itself (a queue for each CPU): those refuse even what they have.
    """
    found = {}
    for number in interrupts(name, root):
        path = Path(root, "proc/irq", number, "smp_affinity_list")
        try:
            now = path.read_text("utf-8").strip()
            path.write_text(now, "utf-8")
        except OSError:
            continue
        found[number] = now
    return found


def irq_write(name: str, wanted: dict[str, str], root: str = "/") -> list[str]:
    """Move interrupts to CPUs; return why one could not be."""
    failed = []
    for number, want in wanted.items():
        try:
            Path(root, "proc/irq", number, "smp_affinity_list").write_text(want, "utf-8")
        except OSError as fault:
            failed.append(f"interrupt {number} of {name} does not move to {want}: {fault.strerror}")
    return failed


def link_read(nic: str, run) -> dict | None:
    """Return what makes a NIC the end of a link; None where there is no such NIC.

    Routes are those over it that the kernel did not make itself.
    """
    code, text, _ = run("ip", "-json", "addr", "show", "dev", nic)
    if code:
        return None
    has = json.loads(text)[0]
    addresses = [one for one in has["addr_info"] if one["family"] == "inet"]
    code, text, _ = run("ip", "-json", "-4", "route", "show", "table", "main", "dev", nic)
    routes = [] if code else json.loads(text or "[]")
    return {
        "up": "UP" in has["flags"],
        "mtu": has["mtu"],
        "addresses": sorted(f"{one['local']}/{one['prefixlen']}" for one in addresses),
        "routes": sorted(_route(one) for one in routes if one.get("protocol") != "kernel"),
    }


def link_write(nic: str, want: dict, run) -> list[str]:
    """Make a NIC the end of a link; return why it is not."""
    had = link_read(nic, run)
    if had is None:
        return [f"there is no {nic} on this server"]
    told: list[str] = []

    def ip(*words: str) -> None:
        code, out, err = run("ip", *words)
        if code:
            told.append(f"ip {' '.join(words)}: {(err or out).strip()}")

    if had["mtu"] != want["mtu"]:
        ip("link", "set", "dev", nic, "mtu", str(want["mtu"]))
    for one in sorted({*had["addresses"]} - {*want["addresses"]}):
        ip("addr", "del", one, "dev", nic)
    for one in sorted({*want["addresses"]} - {*had["addresses"]}):
        ip("addr", "add", one, "dev", nic)
    if had["up"] != want["up"]:
        ip("link", "set", "dev", nic, "up" if want["up"] else "down")
    has = (link_read(nic, run) or had)["routes"]  # an address takes its routes along
    for one in sorted({*has} - {*want["routes"]}):
        ip("route", "del", *one.split(), "dev", nic)
    for one in sorted({*want["routes"]} - {*has}):
        ip("route", "replace", *one.split(), "dev", nic, "proto", "static")
    return told


def address_read(nic: str, address: str, run) -> str | None:
    """Return `held` where a NIC has an address, whatever its prefix; None where it has not."""
    has = link_read(nic, run) or {"addresses": []}
    return "held" if address in {one.partition("/")[0] for one in has["addresses"]} else None


def address_write(nic: str, address: str, run, limit_s: float = CARRIER_S) -> str:
    """Have a NIC hold an address that nobody else holds, and tell all; return why it does not."""
    deadline = time.monotonic() + limit_s
    while not carrier(nic):
        if time.monotonic() > deadline:
            return f"{nic} has no carrier, so nobody can be asked whether he holds {address}"
        time.sleep(0.1)
    if others := holders(nic, address):
        return f"{address} is held by {', '.join(others)}, who answered for it on {nic}"
    code, out, err = run("ip", "addr", "add", f"{address}/32", "dev", nic)
    if not code:
        announce(nic, address)
    return (err or out).strip() if code else ""


def carrier(nic: str) -> bool:
    """Return whether a NIC is up and has something at the other end of its cable."""
    try:
        return Path("/sys/class/net", nic, "carrier").read_text("ascii").strip() == "1"
    except OSError:  # it is down
        return False


def holders(nic: str, address: str) -> list[str]:
    """Return the MACs of all others who answer for an address on the network of a NIC."""
    found = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as wire:
        wire.bind((nic, ARP))
        own = wire.getsockname()[4]
        for _ in range(PROBES):
            wire.send(_arp(own, "0.0.0.0", address))
            deadline = time.monotonic() + PROBE_S
            while (left := deadline - time.monotonic()) > 0:
                wire.settimeout(left)
                try:
                    said = wire.recv(2048)
                except TimeoutError:  # nobody else answers
                    break
                if said[28:32] == socket.inet_aton(address):
                    found.add(said[22:28].hex(":"))
    return sorted(found)


def announce(nic: str, address: str) -> None:
    """Tell everybody on the network of a NIC that it holds an address: gratuitous ARP."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as wire:
        wire.bind((nic, ARP))
        for _ in range(PROBES):
            wire.send(_arp(wire.getsockname()[4], address, address))


def _arp(own: bytes, sender: str, asked: str) -> bytes:
    """Return a request of ARP, to everyone."""
    kind = b"\0\1\x08\0\6\4\0\1"  # IPv4 over Ethernet, a request
    head = b"\xff" * 6 + own + ARP.to_bytes(2, "big") + kind
    return head + own + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(asked)


def _route(one: dict) -> str:
    """Return a route as `ip route` takes it, without its NIC."""
    to = one["dst"] if "/" in one["dst"] or one["dst"] == "default" else f"{one['dst']}/32"
    via = f" via {one['gateway']}" if "gateway" in one else ""
    return f"{to}{via}" + (f" metric {one['metric']}" if "metric" in one else "")


def main(name: str) -> int:
    """Make everything hold that is kept of a device; say what does not."""
    failed = []
    kept = Path(FOLDER, name).glob("*.json")
    for means, path in sorted((MEANS.index(one.name.split(".")[1]), one) for one in kept):
        wants = json.loads(path.read_text("utf-8"))
        failed += _HOLD[means](wants)
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def _hold_ethtool(wants: dict[str, str]) -> list[str]:
    failed = []
    for group in ORDER:
        asked: dict[str, dict[str, str]] = {}
        for at, want in wants.items():
            nic, its, key = at.split()
            if its == group:
                asked.setdefault(nic, {})[key] = want
        for nic, of in asked.items():
            differs = {key: want for key, want in of.items() if _has(nic, group, key) != want}
            why = ethtool_write(nic, group, differs, _run) if differs else ""
            failed += [
                f"{nic} {group} {key}: wanted {want}, is {got}: {why}"
                for key, want in differs.items()
                for got in [_has(nic, group, key)]
                if got != want
            ]
    return failed


def _has(nic: str, group: str, key: str) -> str | None:
    if group == "flow":
        return flow_read(nic, key, _run)
    return ethtool_read(nic, group, _run).get(key)


def _hold_irq(wants: dict[str, str]) -> list[str]:
    return [
        line
        for name, want in wants.items()
        for line in irq_write(name, dict.fromkeys(irq_read(name), want))
    ]


def _hold_sysfs(wants: dict[str, str]) -> list[str]:
    failed = []
    for path, want in wants.items():
        try:
            Path(path).write_text(want + "\n", "utf-8")
            got = chosen(Path(path).read_text("utf-8")) or ""
        except OSError as fault:
            failed.append(f"{path}: {fault.strerror}")
            continue
        if not same(path, got, want):
            failed.append(f"{path}: wanted {want}, is {got}")
    return failed


def _hold_link(wants: dict[str, str]) -> list[str]:
    return [why for nic, want in wants.items() for why in link_write(nic, json.loads(want), _run)]


def _hold_address(wants: dict[str, str]) -> list[str]:
    failed = []
    for at in wants:
        nic, address = at.split()
        if address_read(nic, address, _run) is None and (why := address_write(nic, address, _run)):
            failed.append(why)
    return failed


_HOLD = (_hold_ethtool, _hold_sysfs, _hold_irq, _hold_link, _hold_address)


def _run(*argv: str) -> tuple[int, str, str]:
    ended = subprocess.run(argv, capture_output=True, encoding="utf-8", timeout=30, check=False)
    return ended.returncode, ended.stdout, ended.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
