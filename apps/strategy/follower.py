"""Follows market data on the bus and emits one decision a close, across restarts.

What was decided is known from two places: `portfolio.last_decision` (journaled) and the
strategy's newest decision on `intents` (emitted). A restarted follower goes on after the
later of the two, so that no decision is computed twice on a portfolio that has moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from time import monotonic
from typing import NamedTuple, TypeVar

import msgspec
import structlog

from apps.core.bus import INTENTS, MD, PORTFOLIO, START, Bus, BusDown, BusSlow
from apps.core.clock import Clock
from apps.core.messages import BusMessage, Close, Decision, Portfolio
from apps.strategy import metrics
from apps.strategy.api import Hold
from apps.strategy.engine import Engine, Outcome
from apps.strategy.history import History, HistoryMissing
from apps.strategy.window import NEVER

log = structlog.get_logger()

T = TypeVar("T")

WAIT_S = 1.0
"""How long a decision waits for the portfolio, before it holds instead."""
POLL_S = 0.01
RETRY_S = 0.2
HEAL_AFTER_S = 3.0
LAST_OF_DAY = 2**64 - 1
"""Stream ids of a day are `seq+1`-n: this n lies behind all of them."""
PAGE = 1_000
MOST_PAGES = 50
"""How far back on `intents` the newest decision of ours is looked for."""


class Look(NamedTuple):
    """What the bus held of the portfolio in the moment when a close was read from it."""

    found: BusMessage | None


class Follower:
    """The engine on a real bus, with real books."""

    def __init__(
        self, engine: Engine, bus: Bus, history: History, *, capital_usd: Decimal, clock: Clock
    ) -> None:
        """Prepare; `resume` finds out where to go on."""
        self.done = NEVER
        """Sequence of the last day that was decided."""
        self.cursor = START
        self.waiting = "resuming"
        """What the follower waits for right now; empty while it works."""
        self._engine = engine
        self._bus = bus
        self._history = history
        self._clock = clock
        self._traded = NEVER
        self._last: Decision | None = None
        self._emitted_at = 0.0
        self._seen_index = -1
        self._first_start = True
        self._capital = Portfolio(
            index=-1,
            cash=capital_usd,
            positions={},
            open_qty={},
            last_decision={},
            halted=False,
        )

    async def resume(self) -> None:
        """Find the last decision, and fill the window up to it."""
        name = self._engine.name
        portfolio = await self._until("bus", lambda: self._bus.get(PORTFOLIO))
        emitted = await self._until("bus", self._newest_decision)
        if isinstance(portfolio, Portfolio):
            self.done = portfolio.last_decision.get(name, NEVER)
        if emitted is not None:
            self.done = max(self.done, emitted.seq)
            self._traded = emitted.seq if emitted.intents else NEVER
        decided = await self._until("history", lambda: self._history.ever_decided(name))
        if portfolio is not None or emitted is not None or decided:
            self._first_start = False
        upto = self.done
        if upto == NEVER:
            first = await self._until("bus", lambda: self._bus.read(MD, START, block_ms=1, count=1))
            stored = await self._until("history", self._history.stored)
            upto = _day(first[0][0]) - 1 if first else stored
        await self._fill(upto)
        self.cursor = START if self.done == NEVER else f"{self.done + 1}-{LAST_OF_DAY}"
        self.waiting = ""
        log.info("resumed", decided=self.done, history=self._engine.window.seq)

    async def take(self, entry: str, close: Close, look: Look | None) -> None:
        """Decide on one close; the cursor moves once the decision is on the bus.

        `look` saves the first question for the portfolio, where the close was the only one
        that was read; None where decisions on others came between.
        """
        if close.probe:
            await self._probe(close, look)
        elif close.seq > self.done:
            await self._fill(close.seq - 1)
            self._engine.see(close.seq, close.prices)
            outcome = await self._decide(close, look)
            if outcome is None:
                log.info("was decided at the site that leads", seq=close.seq, day=close.day)
                metrics.DECISIONS.labels(self._engine.name, "late").inc()
            else:
                await self._emit(outcome)
            self.done = close.seq
        self.cursor = entry

    async def idle(self) -> None:
        """Emit the last decision again if a bus that lost its data took it along.

        Nobody else would notice: at replay speed 0 the next day waits for this decision.
        """
        if self._last is None or monotonic() - self._emitted_at < HEAL_AFTER_S:
            return
        portfolio = await self._bus.get(PORTFOLIO)
        if isinstance(portfolio, Portfolio) and self._journaled(portfolio) >= self._last.seq:
            self._last = None
            return
        newest = await self._newest_decision()
        self._emitted_at = monotonic()
        if newest is None or newest.seq < self._last.seq:
            log.warning("emits again what the bus has lost", decision=self._last.id)
            await self._bus.publish(INTENTS, self._last)

    async def _decide(self, close: Close, look: Look | None) -> Outcome | None:
        """Decide on the portfolio as it is, or hold where that is not to be had.

        A day on which the strategy holds anyway waits for nothing. None where the portfolio
        has the effects of this very decision in it: another site made it before us, and what
        we would decide on its effects would be another one under the same id.
        """
        known = self._usable((look or await self._look()).found)
        if known is not None and self._journaled(known) >= close.seq:
            return None
        outcome = await self._computed(close, known or self._capital)
        if outcome.held is not None and not outcome.held.failed:
            return outcome
        if known is not None and self._journaled(known) >= self._traded:
            return outcome
        # Without it, or with orders of ours that are not in it yet, we would trade twice.
        known = await self._portfolio()
        if known is None:
            why = f"decision {self._traded} is not journaled, or the portfolio is not known"
            return self._engine.hold(close, Hold(why, failed=True))
        if self._journaled(known) >= close.seq:
            return None
        return await self._computed(close, known)

    async def _computed(self, close: Close, portfolio: Portfolio) -> Outcome:
        begin = monotonic()
        try:
            outcome = await self._work(self._engine.decide, close, portfolio)
        except Exception as fault:
            # A strategy is somebody's plugin: its fault costs a day, not the platform.
            log.exception("the strategy failed", seq=close.seq)
            why = f"the strategy failed: {type(fault).__name__}: {fault}"
            outcome = self._engine.hold(close, Hold(why, failed=True))
        metrics.DECIDE_SECONDS.labels(self._engine.name, _kind(outcome)).observe(
            monotonic() - begin
        )
        return outcome

    async def _probe(self, close: Close, look: Look | None) -> None:
        if close.seq > self._engine.window.seq:
            log.warning("a probe of a day that was not seen", probe=close.probe, seq=close.seq)
            return
        portfolio = (look or await self._look()).found
        known = portfolio if isinstance(portfolio, Portfolio) else self._capital
        begin = monotonic()
        decision = await self._work(self._engine.probe, close, known)
        metrics.DECIDE_SECONDS.labels(self._engine.name, "probe").observe(monotonic() - begin)
        await self._publish(decision)
        metrics.DECISIONS.labels(self._engine.name, "probe").inc()

    async def _work(self, work: Callable[[Close, Portfolio], T], close: Close, on: Portfolio) -> T:
        """Let the strategy work, beside the event loop where that is worth it."""
        if self._engine.brief:
            return work(close, on)
        return await asyncio.to_thread(work, close, on)

    async def _emit(self, outcome: Outcome) -> None:
        name = self._engine.name
        decision = await self._publish(outcome.decision)
        self._last, self._emitted_at = decision, monotonic()
        if decision.intents:
            self._traded = decision.seq
        metrics.DECISIONS.labels(name, _kind(outcome)).inc()
        metrics.DECIDED_SEQ.labels(name).set(decision.seq)
        for intent in decision.intents:
            metrics.INTENTS.labels(name, intent.side).inc()
        if decision.stamps.data_in:
            metrics.TICK_TO_DECISION_SECONDS.labels(name).observe(
                (decision.stamps.decided - decision.stamps.data_in) / 1e9
            )
        if outcome.held and outcome.held.failed:
            log.warning("holds", seq=decision.seq, day=decision.day, reason=outcome.held.reason)
        elif decision.intents:
            log.info(
                "decided", decision=decision.id, day=decision.day, intents=len(decision.intents)
            )

    async def _publish(self, decision: Decision) -> Decision:
        """Put a decision on the bus; return it with its stamp."""
        stamped = msgspec.structs.replace(
            decision,
            stamps=msgspec.structs.replace(decision.stamps, decided=self._clock()),
        )
        # An answer that was lost means the same decision twice: a no-op by its id.
        await self._until("bus", lambda: self._bus.publish(INTENTS, stamped))
        return stamped

    async def _portfolio(self) -> Portfolio | None:
        """Wait for the portfolio with every order of ours in it; None if it does not come."""
        metrics.WAITS.labels(self._engine.name, "portfolio").inc()
        deadline = monotonic() + WAIT_S
        while monotonic() < deadline:
            found = self._usable((await self._look()).found)
            if found is not None and self._journaled(found) >= self._traded:
                return found
            await asyncio.sleep(POLL_S)
        return None

    async def _look(self) -> Look:
        return Look(await self._until("bus", lambda: self._bus.get(PORTFOLIO)))

    def _usable(self, found: BusMessage | None) -> Portfolio | None:
        """Return the portfolio, unless it is missing or older than one seen before.

        Missing at a first start means that there is only the capital; later, that the bus
        has lost it, and what is held is unknown until execution writes it again.
        """
        if isinstance(found, Portfolio) and found.index >= self._seen_index:
            self._first_start = False
            self._seen_index = found.index
            return found
        if found is None and self._first_start:
            return self._capital
        return None

    def _journaled(self, portfolio: Portfolio) -> int:
        return portfolio.last_decision.get(self._engine.name, NEVER)

    async def _fill(self, upto: int) -> None:
        """Bring the window to exactly `upto`, from the books."""
        window = self._engine.window
        if window.seq > upto:  # history ran ahead of what is on the bus: no look into the future
            window.clear()
        after = max(window.seq, upto - window.days)
        if after < upto:
            for seq, prices in await self._until(
                "history", lambda: self._history.days(after, upto)
            ):
                window.append(seq, prices)

    async def _newest_decision(self) -> Decision | None:
        """Return our newest decision that is still on the bus, probes aside."""
        upper = "+"
        for _ in range(MOST_PAGES):
            page = await self._bus.back(INTENTS, before=upper, count=PAGE)
            for _, message in page:
                if (
                    isinstance(message, Decision)
                    and message.strategy == self._engine.name
                    and not message.probe
                ):
                    return message
            if len(page) < PAGE:
                return None
            upper = f"({page[-1][0]}"
        return None

    async def _until(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer: without bus or books there is nothing else to do."""
        first = True
        while True:
            try:
                answer = await ask()
            except (BusDown, BusSlow, HistoryMissing) as why:
                if first:
                    log.warning("waits", for_what=what, reason=str(why))
                    metrics.WAITS.labels(self._engine.name, what).inc()
                first, self.waiting = False, f"{what}: {why}"
                await asyncio.sleep(RETRY_S)
            else:
                if not first:
                    self.waiting = ""
                return answer


def _day(entry: str) -> int:
    return int(entry.partition("-")[0]) - 1


def _kind(outcome: Outcome) -> str:
    if outcome.held is None:
        return "traded"
    return "failed" if outcome.held.failed else "held"
