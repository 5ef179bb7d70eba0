"""Tells the bus what the journal says: orders, fills, decisions done, the portfolio.

Not on the order path: it may lag or wait for the bus, and nothing is lost by it, since
everything it tells is told again from the journal after a restart. Consumers drop what
they have seen by its journal index.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from apps.core.bus import ORDERS, PORTFOLIO, Bus, BusDown, BusSlow
from apps.core.messages import DecisionDone, Fill, OrderUpdate, Portfolio

log = structlog.get_logger()

Told = OrderUpdate | Fill | DecisionDone
RETRY_S = 0.1
MOST = 500
"""Messages told in one round trip."""


class Teller:
    """An ordered outbox to the bus."""

    def __init__(self, bus: Bus) -> None:
        """Start with an empty outbox."""
        self._bus = bus
        self._outbox: deque[Told] = deque()
        self._portfolio: Portfolio | None = None
        self._wake = asyncio.Event()

    def tell(self, messages: Sequence[Told], portfolio: Portfolio) -> None:
        """Put messages into the outbox, and the portfolio that they led to."""
        self._outbox.extend(messages)
        self._portfolio = portfolio
        self._wake.set()

    @property
    def waiting(self) -> int:
        """How many messages the bus has not confirmed."""
        return len(self._outbox)

    async def run(self) -> None:
        """Tell for ever, in order."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox or self._portfolio is not None:
                try:
                    await self._once()
                except (BusDown, BusSlow) as fault:
                    log.warning("bus does not answer", reason=str(fault), waiting=self.waiting)
                    await asyncio.sleep(RETRY_S)

    async def _once(self) -> None:
        portfolio = self._portfolio
        messages = [self._outbox[at] for at in range(min(len(self._outbox), MOST))]
        # The portfolio goes first: who hears that a decision is done finds its effect there.
        await self._bus.tell(ORDERS, messages, key=PORTFOLIO, held=portfolio)
        for _ in messages:
            self._outbox.popleft()
        if self._portfolio is portfolio:
            self._portfolio = None

    async def last_index(self) -> int:
        """Return the journal index of the newest message on the bus, 0 where there is none."""
        while True:
            try:
                newest = await self._bus.last(ORDERS)
            except (BusDown, BusSlow):
                await asyncio.sleep(RETRY_S)
                continue
            return getattr(newest[1], "index", 0) if newest else 0
