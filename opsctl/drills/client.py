"""An independent client, `python -m opsctl.drills.client`: keeps orders coming, remembers answers.

It is a process of its own, so that neither the measurement nor it waits for the other. It
stands outside the platform: it submits each decision to the buses of all sites, as a
strategy would, and believes an order acknowledged only when the journal's index comes back
for it. It reads its task as JSON from stdin, decides until stdin is closed, and writes
one JSON line for each acknowledgement and, at the end, what it had submitted.

Each decision buys or sells a few shares of two stocks, another pair each time, and the
next round of all stocks trades the other way: what is in doubt blocks its symbol only, and
positions come back to where they were but for what a fault leaves unfilled.
"""

from __future__ import annotations

import itertools
import queue
import sys
import threading
import time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import IO, Any

import msgspec
from valkey.exceptions import ValkeyError

from apps.core.bus import INTENTS, MD, ORDERS, START
from apps.core.instruments import TEST_SYMBOL
from apps.core.messages import Close, Decision, Intent, OrderUpdate, Side, Stamps, decode, encode
from opsctl.drills.task import Acknowledged, Bus, Line, Submitted, Task

LEGS = 2
TICK = Decimal("0.0001")
FAR = 2_000_000_000
"""An expiry that market data does not reach: what the client decides does not go stale."""
PRICES_S = 0.5
SEND_S = 5.0
"""How long a client that was stopped tries to submit what it has decided."""
QUIET_S = 1.0
"""It ends when nothing was acknowledged for so long after it stopped."""


class Client:
    """Decides at a steady rate until stopped."""

    def __init__(self, task: Task, out: IO[bytes]) -> None:
        """Prepare; `run` works."""
        self._task = task
        self._out = out
        self._lock = threading.Lock()
        self._hearing = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._stop = threading.Event()
        self._queues = {bus.site: queue.SimpleQueue[Decision]() for bus in task.buses}
        self._submitted: list[str] = []
        self._acknowledged: set[str] = set()
        self._prices: dict[str, Decimal] = {}
        self._day = ""

    def run(self, until: IO[bytes]) -> None:
        """Work until the stream is closed, then drain and write what was submitted."""
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
        self._write(Submitted(tuple(self._submitted)))

    def _decide(self) -> None:
        period_s = LEGS / self._task.rate_per_s
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
                self._submitted += [intent.id for intent in decision.intents]
                for waiting in self._queues.values():
                    waiting.put(decision)
            due = max(due + period_s, time.monotonic() - PRICES_S)
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _look(self, connection: Any) -> None:
        newest = connection.xrevrange(MD, count=1)
        close = decode(newest[0][1][b"m"]) if newest else None
        if isinstance(close, Close):
            self._prices = {s: p for s, p in close.prices.items() if s != TEST_SYMBOL}
            self._day = close.day

    def _decision(self, number: int) -> Decision:
        symbols = sorted(self._prices)
        count = len(symbols)
        side = Side.BUY if number // count % 2 else Side.SELL
        now = time.time_ns()
        return Decision(
            strategy=self._task.name,
            seq=number,
            day=self._day,
            expires_seq=FAR,
            intents=tuple(
                Intent(
                    id=f"{self._task.name}-{number}-{leg}",
                    symbol=symbol,
                    side=side,
                    qty=1 + leg,
                    limit=_marketable(self._prices[symbol], side),
                )
                for leg, symbol in enumerate(
                    (symbols[number % count], symbols[(number + count // 2) % count])[:LEGS]
                )
            ),
            stamps=Stamps(data_in=now, published=now, decided=now),
        )

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
        with self._lock:
            self._out.write(self._encoder.encode(line) + b"\n")
            self._out.flush()


def _marketable(price: Decimal, side: Side) -> Decimal:
    factor = Decimal("1.01") if side is Side.BUY else Decimal("0.99")
    return (price * factor / TICK).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * TICK


def main() -> int:
    """Run as a process: the task is the first line of stdin."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    Client(task, sys.stdout.buffer).run(sys.stdin.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
