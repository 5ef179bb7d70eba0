"""Reaching what listens in a host's containers from a machine that has no route to them.

A forwarder of this process listens on loopback, a port for each address that is asked for,
and carries all connections of a host by one stream through the connection to its engine: a
command in the host's gate (`gate`). So it works over a socket and over ssh alike, needs no
further port, key or program on the host, and a connection costs a round trip instead of the
start of a program. Where the containers' networks are this machine's own, it connects to
them by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Coroutine
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar

from opsctl.errors import OpsctlError
from opsctl.images.engine import Engine
from opsctl.services.base import Address
from opsctl.targets.docker import gate
from opsctl.targets.docker.command import Command
from opsctl.targets.docker.host import PYTHON

SOURCE = Path(gate.__file__)
T = TypeVar("T")


class Loop:
    """A thread of this process that carries connections; ends with it."""

    def __init__(self) -> None:
        """Start it."""
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="forward", daemon=True).start()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Have it done there, and wait."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result()


class Channel:
    """A connection over a stream."""

    def __init__(self, number: int) -> None:
        """Wait for the answer to its opening."""
        self.number = number
        self.opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Empty, or why it was refused."""
        self.came: asyncio.Queue[bytes | None] = asyncio.Queue()
        """What the far end sent; None is the end."""


class Stream:
    """All connections to one host: frames to and from a command in its gate."""

    def __init__(self, engine: Engine, container: str, loop: asyncio.AbstractEventLoop) -> None:
        """Start the command. Raises `EngineRefused`."""
        self._loop, self._channels = loop, dict[int, Channel]()
        self._numbers = itertools.count(1)
        self.dead = False
        source = SOURCE.read_text(encoding="utf-8")
        self._command = Command(engine, container, (*PYTHON, "-I", "-S", "-c", source))
        threading.Thread(target=self._listen, name="forward-in", daemon=True).start()

    async def open(self, where: str, timeout_s: float) -> tuple[Channel, str]:
        """Open a connection; return why it is refused with it."""
        channel = Channel(next(self._numbers))
        self._channels[channel.number] = channel
        self.send(channel, gate.OPEN, where.encode())
        try:
            async with asyncio.timeout(timeout_s):
                return channel, await channel.opened
        except TimeoutError:
            return channel, f"no answer within {timeout_s:g} s"

    def send(self, channel: Channel, kind: int, what: bytes = b"") -> None:
        """Send a frame; a stream that is gone takes none."""
        if kind == gate.CLOSE:
            self._channels.pop(channel.number, None)
        if self.dead:
            return
        try:
            self._command.send(gate.HEAD.pack(channel.number, kind, len(what)) + what)
        except OSError:
            self._over()

    def _listen(self) -> None:
        """Read frames until the command ends, and hand them to the loop."""
        held = b""
        for part in self._command.output():
            held += part
            while len(held) >= gate.HEAD.size:
                number, said, length = gate.HEAD.unpack_from(held)
                end = gate.HEAD.size + length
                if len(held) < end:
                    break
                what, held = held[gate.HEAD.size : end], held[end:]
                self._loop.call_soon_threadsafe(self._heard, number, said, what)
        self._loop.call_soon_threadsafe(self._over)

    def _heard(self, number: int, kind: int, what: bytes) -> None:
        channel = self._channels.get(number)
        if channel is None:
            return
        if kind == gate.DATA:
            channel.came.put_nowait(what)
        elif kind in (gate.END, gate.CLOSE):
            channel.came.put_nowait(None)
        elif not channel.opened.done():
            channel.opened.set_result(what.decode() if kind == gate.REFUSED else "")

    def _over(self) -> None:
        self.dead = True
        for channel in tuple(self._channels.values()):
            if not channel.opened.done():
                channel.opened.set_result("the connection to its engine is gone")
            channel.came.put_nowait(None)
        self._channels.clear()


class Forwarder:
    """Reaches the containers of one host."""

    def __init__(self, engine: Callable[[], Engine], gate: str) -> None:
        """Name the host's engine and its gate; reach for nothing."""
        self._engine, self._gate = engine, gate
        self._loop: Loop | None = None
        self._stream: Stream | None = None
        self._listening: dict[tuple[str, int], Address] = {}
        self._making = threading.Lock()
        self._starting: asyncio.Lock | None = None
        self._carrying: set[asyncio.Task[Any] | None] = set()
        """Held: a loop itself holds tasks that wait for a half-closed connection weakly."""

    def way(self, host: str, port: int) -> ThroughGate:
        """Return the way to an address."""
        return ThroughGate(self, host, port)

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Have something done in the forwarder's thread."""
        with self._making:
            if self._loop is None:
                self._loop = Loop()
        return self._loop.do(what)

    async def listen(self, host: str, port: int) -> Address:
        """Return where an address is reached on loopback; the same one each time."""
        if (host, port) not in self._listening:
            server = await asyncio.start_server(
                lambda reader, writer: self._carry(host, port, reader, writer), "127.0.0.1", 0
            )
            name, own = server.sockets[0].getsockname()
            self._listening[host, port] = Address(host=name, port=own)
        return self._listening[host, port]

    async def refused(self, host: str, port: int, timeout_s: float) -> str:
        """Return why an address does not answer; empty where it does."""
        if local(host):
            try:
                async with asyncio.timeout(timeout_s):
                    _, writer = await asyncio.open_connection(host, port)
            except TimeoutError:
                return f"no answer within {timeout_s:g} s"
            except OSError as fault:
                return str(fault.strerror or fault)
            writer.close()
            return ""
        try:
            stream = await self._started()
        except OpsctlError as fault:
            return fault.message
        channel, why = await stream.open(f"{host}:{port}", timeout_s)
        stream.send(channel, gate.CLOSE)
        return why

    async def _started(self) -> Stream:
        """Return the stream, begun anew where it is gone."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._stream is None or self._stream.dead:
                loop = asyncio.get_running_loop()
                self._stream = await asyncio.to_thread(
                    lambda: Stream(self._engine(), self._gate, loop)
                )
            return self._stream

    async def _carry(
        self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one connection that was accepted; one that is refused there breaks here."""
        task = asyncio.current_task()
        self._carrying.add(task)
        try:
            if local(host):
                await _spliced(host, port, reader, writer)
                return
            stream = await self._started()
            channel, why = await stream.open(f"{host}:{port}", gate.CONNECT_S)
            if not why:
                await _both(stream, channel, reader, writer)
            stream.send(channel, gate.CLOSE)
        except (OSError, OpsctlError):
            pass
        finally:
            self._carrying.discard(task)
            writer.transport.abort()


class ThroughGate:
    """A way to one address."""

    def __init__(self, forwarder: Forwarder, host: str, port: int) -> None:
        """Name it; nothing listens yet."""
        self._forwarder, self._host, self._port = forwarder, host, port

    @property
    def here(self) -> Address:
        """Where this process connects to instead."""
        return self._forwarder.do(self._forwarder.listen(self._host, self._port))

    def refused(self, timeout_s: float) -> str:
        """Return why nothing answers there; empty where something does."""
        return self._forwarder.do(self._forwarder.refused(self._host, self._port, timeout_s))

    def on(self, port: int) -> ThroughGate:
        """Return the way to another port of the same container."""
        return ThroughGate(self._forwarder, self._host, port)


async def _both(
    stream: Stream, channel: Channel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async def out() -> None:
        while what := await reader.read(gate.CHUNK):
            stream.send(channel, gate.DATA, what)
        stream.send(channel, gate.END)

    async def back() -> None:
        while (what := await channel.came.get()) is not None:
            writer.write(what)
            await writer.drain()
        writer.write_eof()

    await _until_both_end(out(), back())


async def _spliced(
    host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    far_reader, far_writer = await asyncio.open_connection(host, port)

    async def one(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while what := await source.read(gate.CHUNK):
            sink.write(what)
            await sink.drain()
        sink.write_eof()

    try:
        await _until_both_end(one(reader, far_writer), one(far_reader, writer))
    finally:
        far_writer.transport.abort()


async def _until_both_end(*ways: Coroutine[Any, Any, None]) -> None:
    """Wait until both ways are at their end, or one of them breaks."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def local(host: str) -> bool:
    """Return whether the network of a container is this machine's: its bridge has an address.

    The bridge has the first address of the network of a place, which is a /26.
    """
    bridge = IPv4Address((int(IPv4Address(host)) & ~0x3F) + 1)
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind((str(bridge), 0))
        return True
    return False
