"""The strategy app: wires the engine to the bus and the books of its site."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable
from time import monotonic

import structlog

from apps.core.app import App, NotReady
from apps.core.bus import MD, PORTFOLIO, Bus, BusDown, BusSlow
from apps.core.clock import utc_ns
from apps.core.messages import Close
from apps.core.settings import StrategySettings
from apps.strategy import metrics
from apps.strategy.api import Limits, Strategy
from apps.strategy.engine import Engine
from apps.strategy.follower import Follower, Look
from apps.strategy.history import History
from apps.strategy.intents import Terms
from apps.strategy.registry import load

log = structlog.get_logger()

BLOCK_MS = 500
SILENCE_S = 3.0
"""Without an answer of the bus for this long, the app is not ready."""
LATE_S = 5.0
"""A decision that takes longer than this is a fault that readiness shows."""
DRAIN_S = 2.0
RETRY_S = 0.2


def limits_of(settings: StrategySettings) -> Limits:
    """Return the limits of the settings."""
    return Limits(settings.max_position_notional_usd, settings.max_gross_notional_usd)


def terms_of(settings: StrategySettings) -> Terms:
    """Return how orders are written under the settings, within the collar in any case."""
    return Terms(
        order_usd=settings.max_order_notional_usd,
        order_shares=settings.max_order_shares,
        offset_bps=min(settings.order_offset_bps, settings.price_collar_bps // 2),
        min_trade_bps=settings.min_trade_bps,
    )


class StrategyApp(App[StrategySettings]):
    """Emits one decision for every close on the bus."""

    settings_type = StrategySettings

    def __init__(self, settings: StrategySettings) -> None:
        """Keep the settings; `run` opens what they name."""
        super().__init__(settings)
        self._follower: Follower | None = None
        self._heard = 0.0
        self._busy_since: float | None = None
        self._cold = ""

    async def run(self) -> None:
        """Follow market data until stopping; the decision in hand is finished."""
        limits = limits_of(self.settings)
        strategy = load(self.settings.strategy, self.settings.parameters, limits)
        self._warm(strategy)
        engine = Engine(self.settings.strategy, strategy, limits, terms_of(self.settings))
        bus = Bus.of(self.settings, one_caller=True)
        follower = Follower(
            engine,
            bus,
            History(self.settings),
            capital_usd=self.settings.capital_usd,
            clock=utc_ns,
        )
        self._follower = follower
        try:
            if await self._or_stopping(follower.resume()):
                while not self.stopping.is_set():
                    await self._turn(bus, follower)
        finally:
            await bus.close()

    async def _turn(self, bus: Bus, follower: Follower) -> None:
        """Read what is new and decide on it."""
        try:
            batch, held = await bus.read_with(MD, follower.cursor, PORTFOLIO, block_ms=BLOCK_MS)
            if not batch:
                await follower.idle()
        except (BusDown, BusSlow) as why:
            log.warning("the bus does not answer", reason=str(why))
            await self._or_stopping(asyncio.sleep(RETRY_S))
            return
        self._heard = monotonic()
        look = Look(held) if len(batch) == 1 else None
        for entry, message in batch:
            if self.stopping.is_set():
                return
            if isinstance(message, Close):
                self._busy_since = monotonic()
                await self._or_stopping(follower.take(entry, message, look), grace_s=DRAIN_S)
                self._busy_since, self._heard = None, monotonic()

    async def _or_stopping(self, work: Awaitable[None], grace_s: float = 0.0) -> bool:
        """Await `work`; on stopping give it `grace_s` more, then drop it. Return whether done."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and grace_s:
                await asyncio.wait({task}, timeout=grace_s)
            if task.done():
                task.result()
            return task.done()
        finally:
            stop.cancel()
            task.cancel()

    def _warm(self, strategy: Strategy) -> None:
        name, loop = self.settings.strategy, asyncio.get_running_loop()
        metrics.WARM.labels(name).set(0)

        def warm() -> None:
            begin, fault = monotonic(), ""
            try:
                strategy.warm()
            except Exception as why:
                log.exception("the strategy does not warm up")
                fault = f"the strategy does not warm up: {why}"
            try:
                loop.call_soon_threadsafe(warmed, monotonic() - begin, fault)
            except RuntimeError:  # the loop is closed: the process is on its way out
                return

        def warmed(seconds: float, fault: str) -> None:
            self._cold = fault
            if not fault:
                metrics.WARM.labels(name).set(1)
                gc.collect()
                gc.freeze()  # what was imported stays: no collection walks it again
                log.info("warm", seconds=round(seconds, 2))

        threading.Thread(target=warm, name="warm", daemon=True).start()

    async def ready(self) -> None:
        """Ready once history is read, the bus answers, and no decision is overdue."""
        follower = self._follower
        if follower is None:
            raise NotReady("starting")
        if follower.waiting:
            raise NotReady(f"waits for {follower.waiting}")
        if self._cold:
            raise NotReady(self._cold)
        if self._busy_since is not None and monotonic() - self._busy_since > LATE_S:
            raise NotReady(f"a decision takes longer than {LATE_S} s")
        if self._busy_since is None and monotonic() - self._heard > SILENCE_S:
            raise NotReady("the bus does not answer")
