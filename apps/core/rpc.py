"""gRPC over one HTTP/2 connection with mutual TLS: calls with a deadline, and streams.

A channel connects when it is first used and again after a loss, and never hides either: a
call that cannot be sent, or whose answer does not come, fails at once or at its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import cast

import hpack

from apps.core import http2

CONNECT_S = 1.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.02, 0.25
"""How long a channel that could not connect says so before it tries again."""
PING_EVERY_S, PONG_WITHIN_S = 10.0, 2.0
PREFIX = 5
"""Before each message: whether it is compressed, and its size."""
LARGEST_BYTES = 64 * 1024 * 1024
"""An answer beyond this is a fault of somebody."""


class Status(IntEnum):
    """What became of a call, by the numbers of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Failed(Exception):
    """A call that did not come to its answer."""

    def __init__(self, status: Status, said: str) -> None:
        """Keep the status, and what was said about it."""
        super().__init__(f"{status.name}: {said}")
        self.status = status


@dataclass(slots=True)
class _Call:
    """A call under way; `answers` has its whole messages, `ended` what it came to."""

    buffer: bytearray = field(default_factory=bytearray)
    answers: deque[bytes] = field(default_factory=deque)
    ended: Failed | bool | None = None
    waiter: asyncio.Future[None] | None = None

    def took(self, payload: bytes) -> None:
        """Take bytes of messages."""
        buffer = self.buffer
        buffer += payload
        while len(buffer) >= PREFIX:
            size = int.from_bytes(buffer[1:PREFIX], "big")
            if buffer[0] or size > LARGEST_BYTES:
                self.end(Failed(Status.INTERNAL, f"a message of {size} bytes, or compressed"))
                return
            if len(buffer) < PREFIX + size:
                return
            self.answers.append(bytes(buffer[PREFIX : PREFIX + size]))
            del buffer[: PREFIX + size]

    def end(self, how: Failed | bool) -> None:
        """Come to an end; the first one holds."""
        if self.ended is None:
            self.ended = how
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Channel:
    """Calls one server."""

    def __init__(self, endpoint: str, tls: ssl.SSLContext) -> None:
        """Prepare for `host:port`; `context` makes `tls` of the files of mutual TLS."""
        self._host, _, port = endpoint.rpartition(":")
        self._port = int(port)
        self._endpoint = endpoint
        self._tls = tls
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None
        self._pause_s = 0.0
        self._again_at = 0.0
        self._trouble = ""
        self._heads: dict[tuple[str, float | None], bytes] = {}

    async def call(self, method: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer to a request; raises `Failed`."""
        loop = asyncio.get_running_loop()
        due = loop.time() + timeout_s
        link = self._live() or await self._connected(due)
        call = _Call()
        stream = link.request(self._head(method, timeout_s), request, call)
        timer = loop.call_at(
            due, call.end, Failed(Status.DEADLINE_EXCEEDED, f"no answer in {timeout_s} s")
        )
        try:
            while call.ended is None:
                call.waiter = loop.create_future()
                await call.waiter
        finally:
            timer.cancel()
            link.over(stream)
        if isinstance(call.ended, Failed):
            raise call.ended
        if not call.answers:
            raise Failed(Status.INTERNAL, "no message in the answer")
        return call.answers[0]

    async def stream(self, method: str, request: bytes) -> AsyncGenerator[bytes, None]:
        """Yield what a server says to a request, until it ends; raises `Failed`.

        The caller's half stays open, as far as the server can tell: it is sent as the first
        message of a stream that never ends.
        """
        loop = asyncio.get_running_loop()
        link = self._live() or await self._connected(loop.time() + CONNECT_S)
        call = _Call()
        stream = link.request(self._head(method, None), request, call, half_open=True)
        try:
            while True:
                while call.answers:
                    yield call.answers.popleft()
                if call.ended is not None:
                    break
                call.waiter = loop.create_future()
                await call.waiter
        finally:
            link.over(stream)
        if isinstance(call.ended, Failed):
            raise call.ended

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        if self._opening is not None:
            self._opening.cancel()
        if self._link is not None:
            self._link.break_off("closed")

    def _live(self) -> _Link | None:
        link = self._link
        return link if link is not None and link.usable else None

    async def _connected(self, due: float) -> _Link:
        """Return a connection, opened by whoever needs it first; raises `Failed`."""
        loop = asyncio.get_running_loop()
        if self._opening is None or self._opening.done():
            if loop.time() < self._again_at:
                raise Failed(Status.UNAVAILABLE, self._trouble)
            self._opening = loop.create_task(self._open())
            self._opening.add_done_callback(_looked_at)
        try:
            async with asyncio.timeout_at(due):
                return await asyncio.shield(self._opening)
        except TimeoutError:
            raise Failed(Status.DEADLINE_EXCEEDED, f"{self._endpoint} does not connect") from None

    async def _open(self) -> _Link:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                transport, link = await loop.create_connection(
                    _Link, self._host, self._port, ssl=self._tls, server_hostname=self._host
                )
            spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol()
            if spoken != "h2":
                transport.abort()
                raise ConnectionError(f"it speaks {spoken or 'no HTTP/2'}")
        except OSError as fault:  # TimeoutError and ssl.SSLError are ones
            self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LAST_PAUSE_S)
            self._again_at = loop.time() + self._pause_s
            self._trouble = f"{self._endpoint}: {str(fault) or 'does not connect'}"
            raise Failed(Status.UNAVAILABLE, self._trouble) from fault
        self._pause_s, self._link = 0.0, link
        return link

    def _head(self, method: str, timeout_s: float | None) -> bytes:
        head = self._heads.get((method, timeout_s))
        if head is None:
            fields = {"content-type": "application/grpc", "te": "trailers"}
            if timeout_s is not None:
                fields["grpc-timeout"] = f"{max(1, round(timeout_s * 1_000))}m"
            head = self._heads[method, timeout_s] = http2.head_of(method, self._endpoint, fields)
        return head


class _Link(asyncio.Protocol):
    """One connection: the calls on it by their stream."""

    def __init__(self) -> None:
        self._wire = http2.Connection()
        self._calls: dict[int, _Call] = {}
        self._transport: asyncio.Transport | None = None
        self._leaving = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._leaving and not self._wire.used_up

    def request(self, head: bytes, body: bytes, call: _Call, *, half_open: bool = False) -> int:
        """Send a request; its answers go to the call."""
        message = b"\x00" + len(body).to_bytes(4, "big") + body
        stream = self._wire.request(head, message, half_open=half_open)
        self._calls[stream] = call
        self._write()
        return stream

    def over(self, stream: int) -> None:
        """Hear no more of a call; the server is told where it has not ended it."""
        if self._calls.pop(stream, None) is not None:
            self._wire.cancel(stream)
            self._write()

    def break_off(self, why: str) -> None:
        """Close the connection; what is under way fails."""
        transport, self._transport = self._transport, None
        if self._timer is not None:
            self._timer.cancel()
        if transport is not None:
            transport.abort()
        for stream in tuple(self._calls):
            self._fail(stream, Status.UNAVAILABLE, why)

    # asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._write()
        self._timer = asyncio.get_running_loop().call_later(PING_EVERY_S, self._ping)

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._wire.receive(data):
                self._heard(event)
        except (http2.Faulty, hpack.HPACKError, ValueError) as fault:
            self.break_off(f"the server does not speak HTTP/2 as we do: {fault}")
            return
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        self.break_off(f"the connection is lost: {exc or 'closed by the server'}")

    def _heard(self, event: http2.Event) -> None:
        match event:
            case http2.Data(stream, payload, end):
                call = self._calls.get(stream)
                if call is not None:
                    call.took(payload)
                    if call.answers:
                        call.wake()
                if end:
                    self._fail(stream, Status.INTERNAL, "the answer has no status")
            case http2.Headers(stream, block, end):
                if end:
                    self._ended(stream, block)
            case http2.Reset(stream, code):
                self._fail(stream, Status.UNAVAILABLE, f"the server reset the call ({code})")
            case http2.GoAway(last, code, said):
                self._leave(last, f"the server goes away ({code}) {said.decode(errors='replace')}")
            case http2.Pong():
                self._again(PING_EVERY_S, self._ping)

    def _ended(self, stream: int, trailers: bytes) -> None:
        call = self._calls.pop(stream, None)
        if call is None:
            return
        status, said = _outcome(trailers)
        call.end(True if status is Status.OK else Failed(status, said))

    def _fail(self, stream: int, status: Status, why: str) -> None:
        call = self._calls.pop(stream, None)
        if call is not None:
            call.end(Failed(status, why))

    def _leave(self, last: int, why: str) -> None:
        self._leaving = True
        for stream in tuple(self._calls):
            if stream > last:
                self._fail(stream, Status.UNAVAILABLE, why)

    # Whether the server is there

    def _again(self, after_s: float, then: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(after_s, then)  # type: ignore[arg-type]

    def _ping(self) -> None:
        if not self._calls:
            self._again(PING_EVERY_S, self._ping)
            return
        self._wire.ping()
        self._write()
        self._again(PONG_WITHIN_S, self._silent)

    def _silent(self) -> None:
        self.break_off(f"the server is silent: no answer to a ping in {PONG_WITHIN_S} s")

    def _write(self) -> None:
        if self._transport is not None and (pending := self._wire.pending()):
            self._transport.write(pending)


def _looked_at(opening: asyncio.Task[_Link]) -> None:
    """Keep asyncio from reporting a failure whose callers had all given up before."""
    if not opening.cancelled():
        opening.exception()


@lru_cache(maxsize=64)
def _outcome(trailers: bytes) -> tuple[Status, str]:
    """Return the status that trailers tell; they say the same again and again."""
    decoder = hpack.Decoder()
    decoder.header_table_size = 0  # as our settings have it
    fields = dict(decoder.decode(trailers, raw=True))
    status = fields.get(b"grpc-status")
    said = fields.get(b"grpc-message", b"").decode(errors="replace")
    if status is None:
        http = fields.get(b":status", b"no status").decode()
        return Status.UNAVAILABLE, f"the answer is not gRPC's: HTTP {http}"
    with contextlib.suppress(ValueError):
        return Status(int(status)), said
    return Status.UNKNOWN, said


def context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Return a context for mutual TLS; raises `OSError` (with the file) where one is missing."""
    found = ssl.create_default_context(cafile=ca)
    found.load_cert_chain(cert, key)
    found.set_alpn_protocols(["h2"])
    return found
