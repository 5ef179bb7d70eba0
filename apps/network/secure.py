"""Links between hosts: mutual TLS from the environment's authority, TLS 1.3 or nothing.

A connection from one host's app to another's is asked for a link by HTTP CONNECT, as a door
is. Whoever dials checks that the other bears the name of the host that it meant; whoever
accepts, that the link that is asked for is one of the host that asks.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

from apps.core.settings import NetworkSettings
from apps.network.flow import reset

END = b"\r\n\r\n"
LONGEST_ANSWER = 4 * 1024
GIVEN = b"HTTP/1.1 200 "


@dataclass(frozen=True)
class Contexts:
    """How an app shows who it is, as the one who dials and as the one who accepts."""

    dials: ssl.SSLContext
    accepts: ssl.SSLContext


def contexts(settings: NetworkSettings) -> Contexts | None:
    """Return how an app speaks with those of other hosts; None where it does not."""
    if settings.tls_ca_file is None or settings.tls_cert_file is None:
        return None

    def context(purpose: ssl.Purpose) -> ssl.SSLContext:
        found = ssl.create_default_context(purpose, cafile=str(settings.tls_ca_file))
        found.minimum_version = ssl.TLSVersion.TLSv1_3
        found.verify_mode = ssl.CERT_REQUIRED
        found.load_cert_chain(str(settings.tls_cert_file), settings.tls_key_file)
        return found

    return Contexts(context(ssl.Purpose.SERVER_AUTH), context(ssl.Purpose.CLIENT_AUTH))


def names(transport: asyncio.BaseTransport) -> frozenset[str]:
    """Return the names in the certificate that the other side showed; none without TLS."""
    shown = transport.get_extra_info("peercert") or {}
    return frozenset(name for kind, name in shown.get("subjectAltName", ()) if kind == "DNS")


async def ask(
    tls: ssl.SSLContext, name: str, host: str, port: int, link: str
) -> tuple[asyncio.Transport, bytes]:
    """Connect to another host's app and ask it for a link; raise `OSError` where it gives none.

    The transport comes back with its reading paused, and with what the far end said already.
    """
    loop = asyncio.get_running_loop()
    transport, asking = await loop.create_connection(
        lambda: _Asking(link), host, port, ssl=tls, server_hostname=name
    )
    try:
        said = await asking.answered
    except BaseException:
        reset(transport)
        raise
    return transport, said


class _Asking(asyncio.Protocol):
    """A connection until the other app has answered."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._head = b""
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(f"CONNECT {self._link} HTTP/1.1\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, end, rest = self._head.partition(END)
        if self.answered.done():
            return
        if end and head.startswith(GIVEN):
            # What the far end says further is read by whoever takes over.
            assert self._transport is not None  # noqa: S101 - it was made
            self._transport.pause_reading()
            self.answered.set_result(rest)
        elif end or len(self._head) > LONGEST_ANSWER:
            said = head.partition(b"\r\n")[0].decode("latin-1")
            self.answered.set_exception(ConnectionRefusedError(f"the other host says {said!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            why = exc or ConnectionResetError("the other host closed the connection")
            self.answered.set_exception(
                why if isinstance(why, OSError) else ConnectionResetError(str(why))
            )
