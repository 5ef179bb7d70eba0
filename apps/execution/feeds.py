"""What execution reads from the bus: market data and decisions, in one causal order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from apps.core import clock
from apps.core.bus import INTENTS, MD, START, Bus, BusDown, BusSlow
from apps.core.clock import Clock
from apps.core.instruments import TEST_SYMBOL
from apps.core.messages import BusMessage, Close, Decision, decode
from apps.execution import metrics
from apps.execution.events import Decided
from apps.execution.risk import Market

log = structlog.get_logger()

T = TypeVar("T")

BLOCK_MS = 250
RETRY_S = 0.1
SILENT_S = 1.0
"""A bus that does not answer for so long is a fault of the site."""
MOST = 64


def seen(market: Market, close: Close) -> Market:
    """Return the market after a close; an older one changes nothing.

    A probe carries the last day again, and tells the price of the test symbol only.
    """
    if close.probe:
        if TEST_SYMBOL not in close.prices:
            return market
        prices = {**market.prices, TEST_SYMBOL: close.prices[TEST_SYMBOL]}
        return msgspec.structs.replace(market, prices=prices)
    if close.seq <= market.seq:
        return market
    return Market(seq=close.seq, day=close.day, prices={**market.prices, **close.prices})


class Feeds:
    """Reads both streams with one command, so that a decision never overtakes its prices."""

    def __init__(self, bus: Bus, put: Callable[[Decided], None], clock: Clock) -> None:
        """Prepare; decisions go to `put`. The bus is for the feeds alone, and closed by them."""
        self.market = Market()
        self.heard = 0.0
        """When the bus last answered, on the monotonic clock."""
        self._bus = bus
        self._put = put
        self._clock = clock

    @property
    def silent(self) -> bool:
        """Whether the bus has not answered for too long."""
        return clock.monotonic() - self.heard > SILENT_S

    async def run(self, source: str, room: Callable[[], bool]) -> None:
        """Read for ever: the newest market data first, decisions after the id `source`.

        While there is no `room`, decisions stay on the bus.
        """
        after = {MD: START, INTENTS: source}
        try:
            after[MD] = await self._until_answered(self._newest)
            while True:
                await self._until_answered(lambda: self._read(after, room))
        finally:
            await self._bus.close()

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except (BusDown, BusSlow) as fault:
                log.warning("bus does not answer", reason=str(fault))
                await asyncio.sleep(RETRY_S)

    async def _newest(self) -> str:
        entries = await self._bus.client.xrevrange(MD, count=MOST)
        for entry, fields in reversed(entries):
            self._take(MD, entry.decode(), fields)
        return entries[0][0].decode() if entries else START

    async def _read(self, after: dict[str, str], room: Callable[[], bool]) -> None:
        wanted = dict(after) if room() else {MD: after[MD]}
        answer = await self._bus.client.xread(wanted, count=MOST, block=BLOCK_MS)
        self.heard = clock.monotonic()
        streams = {name.decode(): entries for name, entries in answer or ()}
        for stream in (MD, INTENTS):
            for entry, fields in streams.get(stream, ()):
                after[stream] = entry.decode()
                self._take(stream, after[stream], fields)

    def _take(self, stream: str, entry: str, fields: dict[bytes, bytes]) -> None:
        try:
            message: BusMessage = decode(fields[b"m"])
        except (msgspec.MsgspecError, KeyError) as fault:
            metrics.UNREADABLE.labels(stream).inc()
            log.error("message on the bus not understood", stream=stream, id=entry, why=str(fault))
            return
        match message:
            case Close():
                self.market = seen(self.market, message)
            case Decision():
                self._put(Decided(entry, message, self._clock()))
            case _:
                metrics.UNREADABLE.labels(stream).inc()
                log.error("message does not belong on this stream", stream=stream, id=entry)
