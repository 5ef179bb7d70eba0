"""What forwards, a process of its own: `python -m opsctl.targets.docker.forwarding`.

A process that measures or probes with many threads would keep connections waiting that it
carries itself. It is told what to do by JSON lines, the first of which names the engine and
the gate, and answers by others; it ends when its input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
import threading
from collections.abc import Coroutine
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import Engine, connect
from opsctl.model.value import Value
from opsctl.targets.docker import gate
from opsctl.targets.docker.addresses import PLACE, POOL
from opsctl.targets.docker.command import Command
from opsctl.targets.docker.host import PYTHON

SOURCE = Path(gate.__file__)


class Behind(Value):
    """The engine whose containers are reached, and the gate through which."""

    engine: str
    gate: str


class Asked(Value):
    """One thing to do: to listen for an address, or to say why it does not answer."""

    number: int
    host: str
    port: int
    within_s: float | None = None
    """How long an answer may take; without it a port to connect to is wanted."""


class Told(Value):
    """What came of it."""

    number: int
    port: int = 0
    """Of 127.0.0.1, where the address is reached."""
    refused: str = ""
    """Why the address does not answer; empty where it does."""


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


class Forwards:
    """Reaches the containers of one host."""

    def __init__(self, behind: Behind) -> None:
        """Name the host's engine and its gate; reach for nothing."""
        self._behind = behind
        self._stream: Stream | None = None
        self._ports: dict[tuple[str, int], int] = {}
        self._starting = asyncio.Lock()
        self._carrying: set[asyncio.Task[Any] | None] = set()
        """Held: a loop itself holds tasks that wait for a half-closed connection weakly."""

    async def do(self, asked: Asked) -> Told:
        """Do what is asked."""
        if asked.within_s is None:
            return Told(number=asked.number, port=await self._listen(asked.host, asked.port))
        why = await self._refused(asked.host, asked.port, asked.within_s)
        return Told(number=asked.number, refused=why)

    async def _listen(self, host: str, port: int) -> int:
        """Return the port at which an address is reached; the same one each time."""
        if (host, port) not in self._ports:
            try:  # its own number where that is free: a web page knows itself by it
                server = await self._served(host, port, port)
            except OSError:
                server = await self._served(host, port, 0)
            self._ports[host, port] = server.sockets[0].getsockname()[1]
        if not local(host):
            with contextlib.suppress(OpsctlError):  # who connects is told by a break
                await self._started()
        return self._ports[host, port]

    async def _served(self, host: str, port: int, at: int) -> asyncio.Server:
        return await asyncio.start_server(
            lambda reader, writer: self._carry(host, port, reader, writer), "127.0.0.1", at
        )

    async def _refused(self, host: str, port: int, within_s: float) -> str:
        if local(host):
            try:
                async with asyncio.timeout(within_s):
                    _, writer = await asyncio.open_connection(host, port)
            except TimeoutError:
                return f"no answer within {within_s:g} s"
            except OSError as fault:
                return str(fault.strerror or fault)
            writer.close()
            return ""
        try:
            stream = await self._started()
        except OpsctlError as fault:
            return fault.message
        channel, why = await stream.open(f"{host}:{port}", within_s)
        stream.send(channel, gate.CLOSE)
        return why

    async def _started(self) -> Stream:
        """Return the stream, begun anew where it is gone."""
        async with self._starting:
            if self._stream is None or self._stream.dead:
                loop, behind = asyncio.get_running_loop(), self._behind
                self._stream = await asyncio.to_thread(
                    lambda: Stream(connect(behind.engine), behind.gate, loop)
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
    """Return whether a host is a container whose network is this machine's.

    That network's bridge has an address here: the first of the network of a place. What is no
    container, as a server by its name, is reached from where the gate is.
    """
    try:
        at = IPv4Address(host)
    except ValueError:
        return False
    if at not in POOL:
        return False
    bridge = IPv4Network((at, PLACE), strict=False)[1]
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind((str(bridge), 0))
        return True
    return False


async def main() -> None:
    """Do what is asked until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    forwards = Forwards(Behind.model_validate_json(await reader.readline()))
    doing: set[asyncio.Task[None]] = set()

    async def answer(line: bytes) -> None:
        told = await forwards.do(Asked.model_validate_json(line))
        sys.stdout.write(f"{json.dumps(told.model_dump())}\n")
        sys.stdout.flush()

    while line := await reader.readline():
        task = loop.create_task(answer(line))
        doing.add(task)
        task.add_done_callback(doing.discard)


if __name__ == "__main__":
    asyncio.run(main())
