"""Pings over one interface, with the kernel's own times: no program, and no packet cut in two."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator

COUNT = 20
"""Pings of a measurement; their median is told, and the fastest, which is what the cable takes."""
LIMIT_S = 1.0
"""How long an answer may take: a third of the way around the world takes a fifth of it."""
LARGE = 3
"""Pings of full size, of which one has to come back."""
_REQUEST, _REPLY = 8, 0
_HEADERS = 28
"""Bytes of IPv4 and ICMP."""
_DISCOVER, _ALWAYS_DF = 10, 3  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE of linux/in.h
_TIMES = 35  # SO_TIMESTAMPNS, and its answer SCM_TIMESTAMPNS
_FIRST_LOST = 3
"""Pings in a row without an answer after which nobody is believed to be there."""


def pinged(nic: str, source: str, peer: str, mtu: int) -> dict:
    """Return what pings say: `least_us`, `median_us`, `lost`, and whether `mtu` bytes pass.

    Times are from just before a request is given to the kernel until the kernel has the answer,
    in us; 0 where none came back. `passes` is empty where full packets come back, else why not.
    """
    times: list[float] = []
    lost = 0
    try:
        with _wire(nic, source) as wire:
            for number in range(COUNT):
                took = _one(wire, peer, number, 56)
                if took is None:
                    lost += 1
                    if not times and lost >= _FIRST_LOST:
                        return _said([], COUNT, "")
                else:
                    times.append(took)
            passes = _large(wire, peer, mtu)
    except OSError as error:
        return _said([], COUNT, f"{nic}: {error.strerror}")
    return _said(times, lost, passes)


def _large(wire: socket.socket, peer: str, mtu: int) -> str:
    for number in range(COUNT, COUNT + LARGE):
        try:
            if _one(wire, peer, number, mtu - _HEADERS) is not None:
                return ""
        except OSError as error:
            return f"packets of {mtu} bytes are not sent: {error.strerror}"
    return f"packets of {mtu} bytes do not come back"


def _said(times: list[float], lost: int, passes: str) -> dict:
    ordered = sorted(times)
    middle = ordered[len(ordered) // 2] if ordered else 0.0
    least = ordered[0] if ordered else 0.0
    return {
        "least_us": round(least, 1),
        "median_us": round(middle, 1),
        "lost": lost,
        "passes": passes,
    }


@contextlib.contextmanager
def _wire(nic: str, source: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, nic.encode() + b"\0")
        wire.setsockopt(socket.IPPROTO_IP, _DISCOVER, _ALWAYS_DF)
        wire.setsockopt(socket.SOL_SOCKET, _TIMES, 1)
        wire.bind((source, 0))
        yield wire


def _one(wire: socket.socket, peer: str, number: int, size: int) -> float | None:
    """Send one request with `size` bytes of content; return what it took in us, None if lost."""
    mine = os.getpid() & 0xFFFF
    content = bytes(size)
    head = struct.pack("!BBHHH", _REQUEST, 0, 0, mine, number)
    head = struct.pack("!BBHHH", _REQUEST, 0, _sum(head + content), mine, number)
    sent = time.time_ns()
    wire.sendto(head + content, (peer, 0))
    deadline = time.monotonic() + LIMIT_S
    while (left := deadline - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            said, more, _, _ = wire.recvmsg(size + 128, 128)
        except TimeoutError:
            break
        start = (said[0] & 0xF) * 4
        kind, _, _, whose, which = struct.unpack_from("!BBHHH", said, start)
        if (kind, whose, which) == (_REPLY, mine, number):
            return max(0.0, (_received(more) - sent) / 1000)
    return None


def _received(more: list) -> int:
    """Return when the kernel had a packet, in ns since 1970."""
    for level, kind, content in more:
        if (level, kind) == (socket.SOL_SOCKET, _TIMES):
            seconds, ns = struct.unpack("qq", content[:16])
            return int(seconds * 1_000_000_000 + ns)
    return time.time_ns()


def _sum(content: bytes) -> int:
    if len(content) % 2:
        content += b"\0"
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
