"""At replay speed 0: tells the venue that a day is settled, so that the next one comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from apps.core.bus import ORDERS, PORTFOLIO, START, Bus, BusDown, BusSlow
from apps.core.messages import DecisionDone, Portfolio

log = structlog.get_logger()

BLOCK_MS = 500
AGAIN_S = (1.0, 30.0)
"""Waits before a release is sent again because no day came: the first, and the longest."""


class Releaser:
    """Waits for the decision on each day to be settled, then sends `release`."""

    def __init__(self, bus: Bus, strategy: str, release: Callable[[int], bool]) -> None:
        """Prepare. `release` sends and says whether it could."""
        self._bus = bus
        self._strategy = strategy
        self._release = release
        self.seq = -1
        """The venue's current day."""
        self._settled = False
        self._sent_at = 0.0
        self._again_s = AGAIN_S[0]

    def arrived(self, seq: int, *, empty: bool = False) -> None:
        """Take note of the venue's current day; an `empty` one is settled: nobody decides on it."""
        self.seq, self._settled = seq, False
        self._again_s = AGAIN_S[0]
        if empty:
            self._settle()

    async def run(self) -> None:
        """Follow the orders on the bus, for ever."""
        cursor = ""
        while True:
            try:
                if not cursor:
                    newest = await self._bus.last(ORDERS)
                    cursor = newest[0] if newest else START
                batch = await self._bus.read(ORDERS, cursor, block_ms=BLOCK_MS)
                for entry, message in batch:
                    cursor = entry
                    if (
                        isinstance(message, DecisionDone)
                        and message.decision == f"{self._strategy}-{self.seq}"
                    ):
                        self._settle()
                if not batch:
                    await self._look()
            except (BusDown, BusSlow):
                await asyncio.sleep(AGAIN_S[0])

    async def _look(self) -> None:
        """See to a day whose message was missed: ours to the venue, or the bus's to us."""
        if self.seq < 0 or monotonic() - self._sent_at < self._again_s:
            return
        if not self._settled:
            portfolio = await self._bus.get(PORTFOLIO)
            if not isinstance(portfolio, Portfolio):
                return
            if portfolio.last_decision.get(self._strategy, -1) < self.seq:
                return
            if any(portfolio.open_qty.values()):
                return
        self._again_s = min(self._again_s * 2, AGAIN_S[1])
        self._settle()

    def _settle(self) -> None:
        self._settled = True
        if self._release(self.seq):
            self._sent_at = monotonic()
