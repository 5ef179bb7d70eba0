"""What runs within a host for opsctl on another machine: carries connections to containers.

Started in the host's gate, a container that is in the network of each of its places, as a
command whose input and output are one stream of frames. Stands on the standard library alone:
its source is the command.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys

HEAD = struct.Struct(">IBI")
"""Number of the connection, what is said of it, how many bytes follow."""
OPEN, OPENED, REFUSED, DATA, END, CLOSE = range(6)
"""`OPEN` names HOST:PORT, `REFUSED` says why, `END` is the last of one way, `CLOSE` of both."""
CONNECT_S = 5.0
CHUNK = 1 << 16


class Gate:
    """The connections of one stream of frames."""

    def __init__(self, out: asyncio.StreamWriter) -> None:
        """Begin without any."""
        self.out = out
        self.writers: dict[int, asyncio.StreamWriter] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def say(self, number: int, kind: int, what: bytes = b"") -> None:
        """Send a frame."""
        self.out.write(HEAD.pack(number, kind, len(what)) + what)

    async def carry(self, number: int, where: str) -> None:
        """Open a connection, and send what comes from it until it ends."""
        host, _, port = where.rpartition(":")
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(host, int(port))
        except OSError as fault:
            self.say(number, REFUSED, (fault.strerror or str(fault) or "no answer").encode())
            return
        self.writers[number] = writer
        self.say(number, OPENED)
        try:
            while what := await reader.read(CHUNK):
                self.say(number, DATA, what)
                await self.out.drain()
            self.say(number, END)
        except OSError:
            self.close(number)
            self.say(number, CLOSE)

    def close(self, number: int) -> None:
        """Break a connection."""
        if writer := self.writers.pop(number, None):
            writer.transport.abort()

    async def heard(self, number: int, kind: int, what: bytes) -> None:
        """Do what a frame says."""
        writer = self.writers.get(number)
        if kind == OPEN:
            task = asyncio.create_task(self.carry(number, what.decode()))
            self.tasks[number] = task
            task.add_done_callback(lambda _: self.tasks.pop(number, None))
        elif kind == CLOSE:
            self.close(number)
            if task_ := self.tasks.get(number):
                task_.cancel()
        elif writer is not None and not writer.is_closing():
            # What a server does not read may wait here: opsctl sends it questions only.
            with contextlib.suppress(OSError):  # it broke just now, as what reads will tell
                writer.write(what) if kind == DATA else writer.write_eof()


async def main() -> None:
    """Carry until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, sys.stdout
    )
    gate = Gate(asyncio.StreamWriter(transport, protocol, None, loop))
    try:
        while True:
            number, kind, size = HEAD.unpack(await reader.readexactly(HEAD.size))
            await gate.heard(number, kind, await reader.readexactly(size))
    except asyncio.IncompleteReadError:
        return


if __name__ == "__main__":
    asyncio.run(main())
