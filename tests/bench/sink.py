"""A venue that accepts logons, counts orders and answers nothing: what it costs is not ours."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from ctypes import c_longlong
from datetime import UTC, datetime
from typing import Any

from apps.core.fix import compose, parse

VENUE = "VENUE"
ORDER = b"\x0135=D\x01"
READ = 1 << 18
BEAT_S = 1.0


@contextlib.contextmanager
def sink(port: int) -> Iterator[Any]:
    """Run one on a port in a process of its own; yield the counter of orders that arrived."""
    spawn = multiprocessing.get_context("spawn")
    arrived = spawn.Value(c_longlong, 0)
    process = spawn.Process(target=_serve, args=(port, arrived), daemon=True)
    process.start()
    try:
        yield arrived
    finally:
        process.kill()
        process.join()


def _serve(port: int, arrived: Any) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_session, args=(connection, arrived), daemon=True).start()


def _session(connection: socket.socket, arrived: Any) -> None:
    logon = connection.recv(READ).decode()
    firm = dict(parse(logon))[49]
    sent = 1
    connection.sendall(_message("A", firm, sent, [(98, "0"), (108, "5")]))
    connection.settimeout(BEAT_S / 2)
    beaten, rest = time.monotonic(), b""
    while True:
        with contextlib.suppress(TimeoutError):
            some = connection.recv(READ)
            if not some:
                return
            found = (rest + some).count(ORDER)
            rest = (rest + some)[1 - len(ORDER) :]  # too short to hold one that was counted
            if found:
                with arrived.get_lock():
                    arrived.value += found
        if time.monotonic() - beaten > BEAT_S:
            beaten, sent = time.monotonic(), sent + 1
            connection.sendall(_message("0", firm, sent, []))


def _message(msg_type: str, firm: str, seq: int, pairs: list[tuple[int, str]]) -> bytes:
    now = f"{datetime.now(UTC):%Y%m%d-%H:%M:%S.%f}"
    head = [(49, VENUE), (56, firm), (34, str(seq)), (52, now)]
    return compose(msg_type, [*head, *pairs]).encode()
