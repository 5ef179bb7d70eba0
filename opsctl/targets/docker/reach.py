"""Reaching what listens in a host's containers from a machine that has no route to them.

A process of this one's (`forwarding`) listens on loopback, a port for each address that is
asked for, and carries all connections of a host by one stream through the connection to its
engine: a command in the host's gate (`gate`). So it works over a socket and over ssh alike,
needs no further port, key or program on the host, and a connection costs a round trip instead
of the start of a program. Where the containers' networks are this machine's own, it connects
to them by itself.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer

from opsctl.errors import OpsctlError
from opsctl.services.base import Address
from opsctl.targets.docker.forwarding import Asked, Behind, Told

NOBODY = Address(host="127.0.0.1", port=1)
"""Where nothing listens: what is on a host that is down is like any other that is down."""
ANSWER_S = 20.0
"""How long the process may take, its start included."""


class Forwarder:
    """Reaches the containers of one host."""

    def __init__(self, engine: Callable[[], str], gate: str) -> None:
        """Name the address of the host's engine and its gate; reach for nothing."""
        self._engine, self._gate = engine, gate
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: dict[int, Future[Told]] = {}
        self._numbers = itertools.count(1)
        self._telling = threading.Lock()

    def way(self, host: str, port: int) -> ThroughGate:
        """Return the way to an address."""
        return ThroughGate(self, host, port)

    def ask(self, host: str, port: int, within_s: float | None = None) -> Told:
        """Have it done; raises `OpsctlError` where the process does not answer."""
        future: Future[Told] = Future()
        with self._telling:
            number = next(self._numbers)
            self._asked[number] = future
            asked = Asked(number=number, host=host, port=port, within_s=within_s)
            try:
                self._tell(asked)
            except OSError as fault:
                raise OpsctlError(f"the process that forwards has ended: {fault}") from fault
        try:
            return future.result(ANSWER_S + (within_s or 0.0))
        except NoAnswer as fault:
            raise OpsctlError(
                f"the process that forwards to {host}:{port} does not answer",
                hint="see that this machine is not out of memory or processors; try again",
            ) from fault
        finally:
            self._asked.pop(number, None)

    def _tell(self, asked: Asked) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = self._start()
        assert process.stdin is not None  # noqa: S101 - a pipe
        process.stdin.write(asked.model_dump_json().encode() + b"\n")
        process.stdin.flush()

    def _start(self) -> subprocess.Popen[bytes]:
        behind = Behind(engine=self._engine(), gate=self._gate)
        process = subprocess.Popen(
            [sys.executable, "-m", "opsctl.targets.docker.forwarding"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A ^C is for opsctl, which still needs it then; it ends with its input.
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - a pipe
        process.stdin.write(behind.model_dump_json().encode() + b"\n")
        threading.Thread(target=self._hear, args=(process,), daemon=True).start()
        return process

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe
        for line in process.stdout:
            told = Told.model_validate_json(line)
            if (future := self._asked.get(told.number)) is not None:
                future.set_result(told)
        process.wait()


class ThroughGate:
    """A way to one address."""

    def __init__(self, forwarder: Forwarder, host: str, port: int) -> None:
        """Name it; nothing listens yet."""
        self._forwarder, self._host, self._port = forwarder, host, port
        self._here: Address | None = None

    @property
    def here(self) -> Address:
        """Where this process connects to instead; it is refused where the host is out of reach."""
        if self._here is None:
            try:
                port = self._forwarder.ask(self._host, self._port).port
            except OpsctlError:
                return NOBODY
            self._here = Address(host="127.0.0.1", port=port)
        return self._here

    def refused(self, timeout_s: float) -> str:
        """Return why nothing answers there; empty where something does."""
        return self._forwarder.ask(self._host, self._port, timeout_s).refused

    def on(self, port: int) -> ThroughGate:
        """Return the way to another port of the same container."""
        return ThroughGate(self._forwarder, self._host, port)
