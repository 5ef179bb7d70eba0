"""Ethtool's own protocol with the kernel (generic netlink): exact, fast, and no program needed.

The older ioctls cannot tell a value of 0 from one that the driver does not have, and the
program's text differs by version.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

from ansible.module_utils.opsctl_read.answers import Unreadable

_GENERIC, _CONTROL = 16, 0x10
_REQUEST = 1
_ERROR, _DONE = 2, 3
_GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 3, 1, 2
_TYPE_BITS = 0x3FFF
_LIMIT_S = 5.0

Attributes = list[tuple[int, bytes]]


class Ethtool:
    """A connection to the kernel; to be closed."""

    def __init__(self) -> None:
        """Ask for the family. Raises `Unreadable` where the kernel has none, or an old one."""
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC)
            self._socket.settimeout(_LIMIT_S)
            self._socket.bind((0, 0))
            told = dict(self._ask(_CONTROL, _GET_FAMILY, attribute(_FAMILY_NAME, b"ethtool\0")))
        except OSError as error:
            raise Unreadable(f"the kernel has no netlink of ethtool: {error.strerror}") from None
        self._family = number(told[_FAMILY_ID])

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def get(self, nic: str, command: int) -> Attributes:
        """Return the attributes that a command answers for a NIC; raises `OSError`."""
        header = attribute(1 | 0x8000, attribute(2, nic.encode() + b"\0"))
        return self._ask(self._family, command, header)

    def _ask(self, family: int, command: int, payload: bytes) -> Attributes:
        self._sequence += 1
        body = struct.pack("=BBH", command, 1, 0) + payload
        length = 16 + len(body)
        message = struct.pack("=IHHII", length, family, _REQUEST, self._sequence, 0) + body
        self._socket.send(message)
        while True:
            data = self._socket.recv(1 << 18)
            size, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
            if sequence != self._sequence:
                continue  # a late answer to what we gave up
            if kind == _ERROR:
                code = -struct.unpack_from("=i", data, 16)[0]
                if code:
                    raise OSError(code, os.strerror(code))
            if kind in (_ERROR, _DONE):
                return []
            return list(attributes(data[20:size]))


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute, padded."""
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + bytes(-length % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each attribute of a message."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & _TYPE_BITS, data[at + 4 : at + length]
        at += length + (-length % 4)


def number(content: bytes) -> int:
    """Return an unsigned number of any size."""
    return int.from_bytes(content, "little")


def bits(content: bytes) -> dict[str, bool]:
    """Return the named bits of a verbose bit set, and whether each is set.

    A set without a mask lists the set ones alone.
    """
    parts = dict(attributes(content))
    alone = 1 in parts
    found = {}
    for _, bit in attributes(parts.get(3, b"")):
        about = dict(attributes(bit))
        found[about[2].rstrip(b"\0").decode()] = alone or 3 in about
    return found
