"""Settings of NICs, in the words of ethtool(8)."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible.module_utils.opsctl_read import netlink
from ansible.module_utils.opsctl_read.answers import Answer, Answers

Group = dict[str, Answer]

_NUMBERS = {
    "ring": (15, ("rx", "rx-mini", "rx-jumbo", "tx"), 6),
    "channels": (17, ("rx", "tx", "other", "combined"), 6),
}
"""Command, and keys in the order of their attributes; the most of each comes before, from 2 on."""
_COALESCE = (
    *("rx-usecs", "rx-frames", "rx-usecs-irq", "rx-frames-irq"),
    *("tx-usecs", "tx-frames", "tx-usecs-irq", "tx-frames-irq", "stats-block-usecs"),
    *("adaptive-rx", "adaptive-tx", "pkt-rate-low", "rx-usecs-low", "rx-frames-low"),
    *("tx-usecs-low", "tx-frames-low", "pkt-rate-high", "rx-usecs-high", "rx-frames-high"),
    *("tx-usecs-high", "tx-frames-high", "sample-interval", "cqe-mode-tx", "cqe-mode-rx"),
)
"""In the order of their attributes, from 2 on."""
_SWITCHES = frozenset({"adaptive-rx", "adaptive-tx", "cqe-mode-tx", "cqe-mode-rx"})
_PAUSE = ("autoneg", "rx", "tx")
_TSO = ("tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation")
SHORT = {
    "rx": ("rx-checksum",),
    "tx": ("tx-checksum-ipv4", "tx-checksum-ip-generic", "tx-checksum-ipv6"),
    "sg": ("tx-scatter-gather", "tx-scatter-gather-fraglist"),
    "tso": (*_TSO, "tx-tcp6-segmentation"),
    "gso": ("tx-generic-segmentation",),
    "gro": ("rx-gro",),
    "lro": ("rx-lro",),
    "rxvlan": ("rx-vlan-hw-parse",),
    "txvlan": ("tx-vlan-hw-insert",),
    "ntuple": ("rx-ntuple-filter",),
    "rxhash": ("rx-hashing",),
}
"""The features that ethtool's short names stand for: on where one of them is."""

_IOCTL, _FLOW_HASH = 0x8946, 0x29
_FLOWS = {"tcp4": 1, "udp4": 2, "sctp4": 3, "tcp6": 5, "udp6": 6, "sctp6": 7}
_FLOWS_FIXED = frozenset({"e1000e"})
"""Drivers that tell how flows are told apart and have no way to change it: only a write would
show that."""
_HASHED = ((1, "m"), (2, "v"), (3, "t"), (4, "s"), (5, "d"), (6, "f"), (7, "n"), (31, "r"))
"""Bits of what a flow is told apart by, and ethtool's letters for them, in its order."""


def read(ats: Iterable[str]) -> Answers:
    """Read `NIC GROUP KEY`; each group of a NIC is asked for once.

    Raises `Unreadable` where the kernel cannot be asked at all.
    """
    connection = netlink.Ethtool()
    asked: dict[tuple, Group | None] = {}
    answers = {}
    try:
        for at in ats:
            parts = at.split(" ")
            if len(parts) != 3 or parts[1] not in GROUPS:
                known = ", ".join(sorted(GROUPS))
                answers[at] = Answer(None, f"write it as NIC GROUP KEY; groups are {known}")
                continue
            answers[at] = _one(connection, asked, *parts)
    finally:
        connection.close()
    return answers


def _one(connection: netlink.Ethtool, asked: dict[tuple, Group], *parts: str) -> Answer:
    nic, group, key = parts
    try:
        if group == "flow":
            return flow(nic, key)
        if (nic, group) not in asked:
            asked[nic, group] = GROUPS[group](connection, nic)
    except OSError as error:
        return Answer(None, _refusal(nic, group, error))
    known = asked[nic, group]
    if group == "feature":
        return feature(known, key)
    return known.get(key, Answer(None, f"the driver of {nic} has no {group} {key}"))


def _refusal(nic: str, group: str, error: OSError) -> str:
    if error.errno == errno.ENODEV:
        return f"there is no NIC {nic}"
    if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
        return f"the driver of {nic} has no {group}"
    return error.strerror or str(error)


def _numbers(group: str) -> Callable[[netlink.Ethtool, str], Group]:
    command, keys, first = _NUMBERS[group]

    def get(connection: netlink.Ethtool, nic: str) -> Group:
        return numbers(dict(connection.get(nic, command)), keys, first)

    return get


def numbers(told: dict[int, bytes], keys: Iterable[str], first: int) -> Group:
    """Return rings or channels; with each the most that the NIC takes, as a note."""
    found = {}
    for index, key in enumerate(keys):
        if first + index in told and 2 + index in told:
            most = netlink.number(told[2 + index])
            now = str(netlink.number(told[first + index]))
            found[key] = Answer(now, f"the NIC takes at most {most}")
    return found


def coalesce(told: dict[int, bytes]) -> Group:
    """Return what the driver says of holding interrupts back."""
    found = {}
    for index, key in enumerate(_COALESCE):
        if index + 2 in told:
            value = netlink.number(told[index + 2])
            found[key] = Answer(_switch(value) if key in _SWITCHES else str(value))
    return found


def pause(told: dict[int, bytes]) -> Group:
    """Return flow control."""
    return {
        key: Answer(_switch(netlink.number(told[index + 2])))
        for index, key in enumerate(_PAUSE)
        if index + 2 in told
    }


def features(told: dict[int, bytes]) -> Group:
    """Return each feature that is known, by the kernel's name; with a note if it is fixed."""
    can = netlink.bits(told.get(2, b""))
    on = netlink.bits(told.get(4, b""))
    never = netlink.bits(told.get(5, b""))
    found = {}
    for name in {*can, *on, *never}:
        fixed = not can.get(name) or name in never
        found[name] = Answer(_switch(on.get(name, False)), "fixed by the driver" if fixed else "")
    return found


def feature(known: Group, key: str) -> Answer:
    """Return a feature by its short name or the kernel's."""
    parts = [
        known.get(name, Answer("off", "fixed by the driver")) for name in SHORT.get(key, (key,))
    ]
    on = any(part.value == "on" for part in parts)
    counted = [part for part in parts if part.value == "on"] if on else parts
    fixed = all(part.reason for part in counted)
    return Answer(_switch(on), "fixed by the driver" if fixed else "")


def flow(nic: str, kind: str) -> Answer:
    """Return by which parts of a packet its queue is chosen: `sdfn`. Raises `OSError`."""
    if kind not in _FLOWS:
        return Answer(None, f"flows are {', '.join(sorted(_FLOWS))}")
    question = array("B", struct.pack("=II", _FLOW_HASH, _FLOWS[kind]) + bytes(248))
    address, _ = question.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _IOCTL, struct.pack("16sP16x", nic.encode(), address))
    (told,) = struct.unpack_from("=Q", question.tobytes(), 8)
    letters = "".join(letter for bit, letter in _HASHED if told >> bit & 1)
    if not letters:
        return Answer(None, f"the driver of {nic} does not tell {kind} flows apart")
    driver = Path(f"/sys/class/net/{nic}/device/driver").resolve().name
    return Answer(letters, "fixed by the driver" if driver in _FLOWS_FIXED else "")


def _switch(value: object) -> str:
    return "on" if value else "off"


def _of_netlink(command: int, read_: Callable[[dict[int, bytes]], Group]) -> Callable:
    def get(connection: netlink.Ethtool, nic: str) -> Group:
        return read_(dict(connection.get(nic, command)))

    return get


GROUPS: dict[str, Callable] = {
    "ring": _numbers("ring"),
    "channels": _numbers("channels"),
    "coalesce": _of_netlink(19, coalesce),
    "pause": _of_netlink(21, pause),
    "feature": _of_netlink(11, features),
    "flow": flow,
}
