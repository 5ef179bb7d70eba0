"""A market-data venue that says what a test wants, where the real one never would.

It speaks through the same `apps.core.fix.Engine`; that the real venue speaks the same
protocol is tested beside it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from apps.core.fix import Engine, Event, Pair, Received, Tag

SESSION = "OPS-A-MD"

Entry = tuple[str, str, str]
"""Kind (5 close, 0 bid, 1 offer), symbol, price."""


class FakeVenue:
    """An acceptor on a thread of its own; remembers every MarketDataRequest."""

    def __init__(self, port: int, store: Path, password: str) -> None:
        """Prepare; use as a context manager to run it."""
        self.requests: list[Received] = []
        self._port, self._store, self._password = port, store, password
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        """Accept sessions."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self._engine.stop()
        self._engine.forget()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        self._engine = Engine(
            role="acceptor",
            own=["VENUE"],
            peers=[SESSION],
            host="127.0.0.1",
            port=self._port,
            store=self._store,
            password=self._password,
            on_event=self._on_event,
        )
        self._engine.start()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Received) and event.msg_type == "V":
            self.requests.append(event)

    @property
    def subscriptions(self) -> list[int]:
        """The first sequence that each subscription asked for."""
        return [int(r.get(Tag.FROM_SEQ)) for r in self.requests if r.get(263) == "1"]

    @property
    def released(self) -> list[int]:
        """The days that were released."""
        return [int(r.get(Tag.RELEASE_SEQ)) for r in self.requests if r.get(Tag.RELEASE_SEQ)]

    def day(self, seq: int, on: str, entries: Iterable[Entry], *, request: str = "") -> None:
        """Send one day, as an answer to the newest subscription unless another is named."""
        newest = [r.get(262) for r in self.requests if r.get(263) == "1"][-1]
        listed = list(entries)
        pairs: list[Pair] = [(262, request or newest), (268, str(len(listed)))]
        for kind, symbol, price in listed:
            pairs += [(279, "0"), (269, kind), (55, symbol), (270, price), (272, on)]
        self.send("X", [*pairs, (Tag.SEQ, str(seq))])

    def send(self, msg_type: str, pairs: list[Pair]) -> None:
        """Send any message."""
        assert self._on_loop(lambda: self._engine.send(SESSION, msg_type, pairs))

    def _on_loop(self, work: Callable[[], bool]) -> bool:
        async def run() -> bool:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(5)
