"""The command in a host's gate: what one connection does is nothing to the others."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from opsctl.targets.docker import gate

ROUNDS = 200
"""A server's reset and the end that is told meet in one of a few."""


class Stream:
    """What opsctl has of the command: frames to it, frames from it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def send(self, number: int, kind: int, what: bytes = b"") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(gate.HEAD.pack(number, kind, len(what)) + what)
        self._process.stdin.flush()

    def until(self, number: int, kind: int) -> bytes:
        """Return what comes with the next such frame; others are passed over."""
        assert self._process.stdout is not None
        while head := self._process.stdout.read(gate.HEAD.size):
            its, said, length = gate.HEAD.unpack(head)
            what = self._process.stdout.read(length)
            if (its, said) == (number, kind):
                return what
        pytest.fail("the command has ended, and with it every connection")


@pytest.fixture
def stream() -> Iterator[Stream]:
    source = Path(gate.__file__).read_text(encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        yield Stream(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@contextmanager
def server(*, resets: bool) -> Iterator[bytes]:
    """Serve on a port: hang up rudely at the first words, or say them back until the end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    while said := connection.recv(100):
                        if resets:
                            at_once = struct.pack("ii", 1, 0)
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                            break
                        connection.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}".encode()
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_resets_its_connection_breaks_no_other(stream: Stream) -> None:
    with server(resets=False) as calm, server(resets=True) as rude:
        stream.send(1, gate.OPEN, calm)
        stream.until(1, gate.OPENED)
        for number in range(2, ROUNDS):
            stream.send(number, gate.OPEN, rude)
            stream.until(number, gate.OPENED)
            stream.send(number, gate.DATA, b"a question")
            stream.send(number, gate.END)
            stream.send(number, gate.CLOSE)
        stream.send(1, gate.DATA, b"still here")
        assert stream.until(1, gate.DATA) == b"still here"
        stream.send(1, gate.END)
        stream.until(1, gate.END)


def test_a_port_where_nothing_listens_is_told(stream: Stream) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    stream.send(1, gate.OPEN, f"127.0.0.1:{port}".encode())
    assert str(port) in stream.until(1, gate.REFUSED).decode()
