"""What accepts connections: the port of one link, or a door that several links share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

import structlog

from apps.network.connection import Connection, Link, no_delay
from apps.network.flow import reset
from apps.network.secure import names

log = structlog.get_logger()

LONGEST_HEAD = 8 * 1024
END = b"\r\n\r\n"


def asked_name(head: bytes) -> str:
    """Return the `host:port` that an HTTP CONNECT asks for; empty where it is none."""
    words = head.partition(b"\r\n")[0].split(b" ")
    if len(words) == 3 and words[0] == b"CONNECT" and words[2].startswith(b"HTTP/1."):
        return words[1].decode("latin-1")
    return ""


class Door(asyncio.Protocol):
    """An accepted connection until it is known by which link it goes.

    A link that is cut accepts, and breaks what it accepted: its port stays its own, several
    links may share it, and taking the cut back is one assignment. The dialer sees a
    connection that is reset instead of one that is refused.
    """

    def __init__(self, links: Mapping[str, Link]) -> None:
        """Serve the links of a port, by what is asked of it; `""` is a port of one link."""
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin at once where the port says it all."""
        no_delay(transport)
        self._transport = cast("asyncio.Transport", transport)
        if "" in self._links:
            self._enter(self._links[""])

    def data_received(self, data: bytes) -> None:
        """Read what is asked for."""
        self._head += data
        if END not in self._head and len(self._head) < LONGEST_HEAD:
            return
        head, end, rest = self._head.partition(END)
        link = self._links.get(asked_name(head)) if end else None
        if link is None:
            self._refuse(b"404 Not Found" if asked_name(head) else b"405 Method Not Allowed")
        elif link.settings.of and link.settings.of not in names(self._transported):
            log.warning("a stranger asked for a link", link=link.name, of=link.settings.of)
            self._refuse(b"403 Forbidden")
        elif rest:  # nothing may be said before the answer
            self._refuse(b"400 Bad Request")
        else:
            self._enter(link)

    @property
    def _transported(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101 - it was made
        return self._transport

    def _enter(self, link: Link) -> None:
        if link.faults.cut:
            link.refused += 1
            reset(self._transported)
        else:
            Connection(link, self._transported)

    def _refuse(self, status: bytes) -> None:
        known = ", ".join(sorted(self._links)).encode()
        self._transported.write(
            b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(known), known)
        )
        self._transported.close()
