"""An independent client, `python -m opsctl.drills.client`: keeps orders coming, remembers answers.

It is a process of its own, so that neither the measurement nor it waits for the other. It
stands outside the platform: it submits each decision to the buses of all sites, as a
strategy would, and believes an order acknowledged only when the journal's index comes back
for it. It reads its task as JSON from stdin, decides until stdin is closed, and writes
one JSON line for each decision that it submits and for each acknowledgement.

What it decides is `opsctl.drills.shape`: each decision buys or sells two stocks, another pair
each time, so that what is in doubt blocks its symbol only.
"""

from __future__ import annotations

import itertools
import os
import queue
import sys
import threading
import time
from decimal import Decimal
from typing import IO, Any

import msgspec
from valkey.exceptions import ValkeyError

from apps.core.bus import INTENTS, MD, ORDERS, START
from apps.core.instruments import TEST_SYMBOL
from apps.core.messages import Close, Decision, OrderUpdate, decode, encode
from opsctl.drills.shape import FAR, Shape
from opsctl.drills.task import Acknowledged, Bus, Line, Submitted, Task, read

PRICES_S = 0.5
SEND_S = 5.0
"""How long a client that was stopped tries to submit what it has decided."""
QUIET_S = 1.0
"""It ends when nothing was acknowledged for so long after it stopped."""

UNWRITABLE = 74
"""What it exits with where what it is told cannot be recorded."""


class Client:
    """Decides as its load says until stopped."""

    def __init__(self, task: Task, out: IO[bytes]) -> None:
        """Prepare; `run` works."""
        self._task = task
        self._out = out
        self._shape = Shape(task.name, task.load)
        self._at = itertools.count()
        self._lock = threading.Lock()
        self._hearing = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._stop = threading.Event()
        self._queues = {bus.site: queue.SimpleQueue[Decision]() for bus in task.buses}
        self._acknowledged: set[str] = set()
        self._prices: dict[str, Decimal] = {}
        self._day = ""

    def run(self, until: IO[bytes]) -> None:
        """Work until the stream is closed, then drain."""
        threads = [threading.Thread(target=self._decide)]
        for bus in self._task.buses:
            newest = bus.open().xrevrange(ORDERS, count=1)
            after = newest[0][0] if newest else START
            threads.append(threading.Thread(target=self._send, args=(bus,)))
            threads.append(threading.Thread(target=self._listen, args=(bus, after)))
        for thread in threads:
            thread.start()
        until.read()
        self._stop.set()
        for thread in threads:
            thread.join()

    def _decide(self) -> None:
        pauses = self._shape.pauses()
        connections = itertools.cycle([bus.open() for bus in self._task.buses])
        connection, looked = next(connections), 0.0
        numbers = itertools.count(int(time.time() * 1000) % FAR)
        due = time.monotonic()
        while not self._stop.is_set():
            if time.monotonic() - looked > PRICES_S:
                try:
                    self._look(connection)
                    looked = time.monotonic()
                except ValkeyError:
                    connection = next(connections)
            if self._prices:
                decision = self._decision(next(numbers))
                orders = tuple(intent.id for intent in decision.intents)
                self._write(Submitted(decision.stamps.decided, orders))
                for waiting in self._queues.values():
                    waiting.put(decision)
            due = max(due + next(pauses), time.monotonic() - PRICES_S)
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _look(self, connection: Any) -> None:
        newest = connection.xrevrange(MD, count=1)
        close = decode(newest[0][1][b"m"]) if newest else None
        if isinstance(close, Close):
            self._prices = {s: p for s, p in close.prices.items() if s != TEST_SYMBOL}
            self._day = close.day

    def _decision(self, number: int) -> Decision:
        return self._shape.decision(next(self._at), number, self._prices, self._day, time.time_ns())

    def _send(self, bus: Bus) -> None:
        """Submit in order; what a site does not take is submitted again: a no-op by its id."""
        connection, waiting = bus.open(), self._queues[bus.site]
        decision: Decision | None = None
        until: float | None = None
        while until is None or time.monotonic() < until:
            try:
                decision = decision or waiting.get(timeout=0.05)
                connection.xadd(INTENTS, {b"m": encode(decision)})
                decision = None
            except queue.Empty:
                if self._stop.is_set():
                    return
            except ValkeyError:
                time.sleep(0.05)
            if self._stop.is_set() and until is None:
                until = time.monotonic() + SEND_S

    def _listen(self, bus: Bus, after: bytes | str) -> None:
        connection = bus.open()
        quiet_since: float | None = None
        while quiet_since is None or time.monotonic() - quiet_since < QUIET_S:
            try:
                answer = connection.xread({ORDERS: after}, count=1_000, block=200)
            except ValkeyError:
                time.sleep(0.05)
                continue
            now_ns = time.time_ns()
            for entry, fields in answer[0][1] if answer else ():
                after = entry
                self._hear(decode(fields[b"m"]), now_ns)
                quiet_since = None
            if self._stop.is_set():
                quiet_since = quiet_since or time.monotonic()

    def _hear(self, message: object, at_ns: int) -> None:
        if not isinstance(message, OrderUpdate):
            return
        if not message.decision.startswith(self._task.name):
            return
        with self._hearing:  # both sites tell of it at nearly the same time
            if message.id in self._acknowledged:
                return
            self._acknowledged.add(message.id)
        self._write(Acknowledged(message.id, at_ns, message.state))

    def _write(self, line: Line) -> None:
        try:
            with self._lock:
                self._out.write(self._encoder.encode(line) + b"\n")
                self._out.flush()
        except OSError as fault:
            # An account with a hole proves nothing: the drill sees its client end, and stops.
            sys.stderr.write(f"the client cannot record: {fault}\n")
            os._exit(UNWRITABLE)


def main() -> int:
    """Run as a process: the task is the first line of stdin."""
    task = read(sys.stdin.buffer.readline())
    Client(task, sys.stdout.buffer).run(sys.stdin.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
