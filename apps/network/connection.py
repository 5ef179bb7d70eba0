"""One connection over a link: two transports, and what goes between them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

import structlog

from apps.core.settings import LinkSettings
from apps.network.faults import Faults
from apps.network.flow import Counts, Flow, Sign, Way, reset
from apps.network.secure import ask

log = structlog.get_logger()

CONNECT_S = 5.0


class Link:
    """A link: its faults, what it carried, and the connections over it."""

    def __init__(
        self, name: str, settings: LinkSettings, tls: ssl.SSLContext | None = None
    ) -> None:
        """Keep where it leads, and how another host is dialled; nothing is connected yet."""
        self.name = name
        self.tls = tls
        self.settings = settings
        self.faults = Faults()
        self.counts: dict[Way, Counts] = {"to": Counts(), "from": Counts()}
        self.opened = self.refused = 0
        self.connections: set[Connection] = set()

    def disturb(self, faults: Faults) -> None:
        """Take other faults; when this returns they hold for every connection.

        Where bytes were swallowed, their connection breaks as soon as others would follow:
        what comes after a hole in a stream can only be misread.
        """
        before, self.faults = self.faults, faults
        for connection in tuple(self.connections):
            if faults.cut or (before.drop != faults.drop and connection.holed):
                connection.reset()
            else:
                connection.obey(faults)

    def close(self) -> None:
        """Break every connection."""
        for connection in tuple(self.connections):
            connection.reset()


class Connection:
    """A connection that was accepted at a link and goes on to its other end."""

    def __init__(self, link: Link, near: asyncio.Transport) -> None:
        """Take an accepted transport over; nothing is read from it until the far end is there."""
        self._link = link
        self._near = near
        self._far: asyncio.Transport | None = None
        self._to = Flow("to", link.counts["to"], near, self._over)
        self._back: Flow | None = None
        self._broken = False
        self._leaving = False
        near.pause_reading()
        near.set_protocol(_Side(self, near=True))
        link.connections.add(self)
        link.opened += 1
        self._opening = asyncio.get_running_loop().create_task(self._open())

    @property
    def holed(self) -> bool:
        """Whether bytes of either direction were swallowed."""
        return self._to.holed or (self._back is not None and self._back.holed)

    def obey(self, faults: Faults) -> None:
        """Take the faults of the link."""
        self._to.obey(faults)
        if self._back is not None:
            self._back.obey(faults)

    def reset(self) -> None:
        """Break it, for both ends."""
        self._broken = True
        self._opening.cancel()
        for flow in (self._to, self._back):
            if flow is not None:
                flow.stop()
        for transport in (self._near, self._far):
            if transport is not None:
                reset(transport)
        self._link.connections.discard(self)

    async def _open(self) -> None:
        link = self._link
        host, _, port = link.settings.to.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                if link.tls is not None:
                    far, said = await ask(link.tls, link.settings.by, host, int(port), link.name)
                    far.set_protocol(_Side(self, near=False))
                    self.joined(far)
                    if said:
                        self.heard(False, said)
                else:
                    await loop.create_connection(lambda: _Side(self, near=False), host, int(port))
        except OSError as fault:  # TimeoutError is one
            self._link.refused += 1
            log.debug("far end does not answer", link=self._link.name, reason=str(fault))
            self.reset()

    def ends_at_once(self, near: bool) -> bool:
        """Return whether a side that ends one way has ended both."""
        side = self._near if near else self._far
        return side is not None and secured(side)

    # What the transports say, by way of their `_Side`.

    def joined(self, far: asyncio.Transport) -> None:
        """The far end is there: it may speak before anything else happens."""
        self._far = far
        if self._broken or self._near.is_closing() or far.is_closing():
            self.reset()
            return
        back = self._back = Flow("from", self._link.counts["from"], far, self._over)
        self._to.connect(far)
        back.connect(self._near)
        self.obey(self._link.faults)
        if self._link.settings.asked:
            self._near.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._near.resume_reading()

    def heard(self, near: bool, what: bytes | Sign) -> None:
        """Carry what one side sent.

        TLS, as asyncio has it, ends both ways at once: whoever ends one way leaves.
        """
        flow = self._to if near else self._back
        if what is Sign.END and self._secure:
            what, self._leaving = Sign.CLOSE, True
        if flow is not None:
            flow.carry(what)

    def writable(self, near: bool, yes: bool) -> None:
        """Stop and go on reading from one side as the other takes bytes or does not."""
        flow = self._back if near else self._to
        if flow is not None:
            flow.hold(not yes)

    def lost(self, near: bool) -> None:
        """One side is gone: the other is told, in order with what was sent before."""
        flow = self._to if near else self._back
        if self._broken or flow is None or self._far is None:
            self.reset()
        elif not self._ended:
            flow.carry(Sign.CLOSE if self._leaving else Sign.BREAK)
        if self._near.is_closing() and (self._far is None or self._far.is_closing()):
            self._link.connections.discard(self)

    @property
    def _secure(self) -> bool:
        return any(side is not None and secured(side) for side in (self._near, self._far))

    @property
    def _ended(self) -> bool:
        return self._to.ended and self._back is not None and self._back.ended

    def _over(self) -> None:
        """One side's end was handed over; after both it is over."""
        if self._ended and self._far is not None:
            self._near.close()
            self._far.close()


class _Side(asyncio.Protocol):
    """One end of a connection, as asyncio calls it."""

    __slots__ = ("_connection", "_near")

    def __init__(self, connection: Connection, *, near: bool) -> None:
        self._connection, self._near = connection, near

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        no_delay(transport)
        if not self._near:
            self._connection.joined(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._connection.heard(self._near, data)

    def eof_received(self) -> bool:
        self._connection.heard(self._near, Sign.END)
        # Half-closed: the other direction goes on, where there is no TLS.
        return not self._connection.ends_at_once(self._near)

    def pause_writing(self) -> None:
        self._connection.writable(self._near, False)

    def resume_writing(self) -> None:
        self._connection.writable(self._near, True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.lost(self._near)


def secured(transport: asyncio.BaseTransport) -> bool:
    """Return whether a connection is one of TLS."""
    return transport.get_extra_info("ssl_object") is not None


def no_delay(transport: asyncio.BaseTransport) -> None:
    """Send small messages at once: a heartbeat waits for no acknowledgement of the last."""
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
