"""The engine: a close and the portfolio in, a decision out. Pure, but for the window it rolls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.core.instruments import TEST_SYMBOL
from apps.core.messages import Close, Decision, Intent, Portfolio, Side
from apps.strategy.api import Hold, Holdings, Limits, Market, Strategy, Wanted
from apps.strategy.intents import Terms, intents, share_targets
from apps.strategy.window import Window

PROBE_PRICE = Decimal(10)
PROBE_LIFE_DAYS = 5
"""A probe carries no market risk, so it may arrive some days late; an order may not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, and why it is what it is."""

    decision: Decision
    held: Hold | None = None
    """Set where the strategy trades nothing."""


class Engine:
    """One strategy with its window of closes; everything else comes with each call."""

    def __init__(self, name: str, strategy: Strategy, limits: Limits, terms: Terms) -> None:
        """Prepare an engine that has seen no market yet."""
        self.name = name
        self.window = Window(strategy.window_days)
        self._strategy = strategy
        self._limits = limits
        self._terms = terms

    @property
    def brief(self) -> bool:
        """Whether a decision takes about a millisecond."""
        return self._strategy.brief

    def see(self, seq: int, prices: Mapping[str, Decimal]) -> None:
        """Take a day into the window without deciding on it."""
        self.window.append(seq, prices)

    def decide(self, close: Close, portfolio: Portfolio) -> Outcome:
        """Return the decision on the day that the window saw last."""
        market = self._market(close)
        holdings = Holdings(portfolio.cash, portfolio.positions, portfolio.open_qty)
        wanted: Wanted = (
            Hold("trading is halted")
            if portfolio.halted
            else self._strategy.decide(market, holdings)
        )
        if isinstance(wanted, Hold):
            return self.hold(close, wanted)
        targets = share_targets(wanted, market, holdings, self._limits, self._terms)
        decision = Decision(
            strategy=self.name,
            seq=close.seq,
            day=close.day,
            expires_seq=close.seq,
            intents=intents(self.name, market, holdings, targets, self._terms),
            targets=targets,
            scores=dict(wanted.scores),
            stamps=close.stamps,
        )
        return Outcome(decision)

    def hold(self, close: Close, why: Hold) -> Outcome:
        """Return the decision that trades nothing."""
        decision = Decision(
            strategy=self.name,
            seq=close.seq,
            day=close.day,
            expires_seq=close.seq,
            intents=(),
            note=why.reason,
            stamps=close.stamps,
        )
        return Outcome(decision, why)

    def probe(self, close: Close, portfolio: Portfolio) -> Decision:
        """Decide as on a day that trades, discard it, and answer with the probe's own order."""
        market = self._market(close)
        holdings = Holdings(portfolio.cash, portfolio.positions, portfolio.open_qty)
        wanted = self._strategy.decide(market, holdings)
        if not isinstance(wanted, Hold):
            targets = share_targets(wanted, market, holdings, self._limits, self._terms)
            intents(self.name, market, holdings, targets, self._terms)
        return Decision(
            strategy=self.name,
            seq=close.seq,
            day=close.day,
            expires_seq=close.seq + PROBE_LIFE_DAYS,
            intents=(
                Intent(id=close.probe, symbol=TEST_SYMBOL, side=Side.BUY, qty=1, limit=PROBE_PRICE),
            ),
            probe=close.probe,
            stamps=close.stamps,
        )

    def _market(self, close: Close) -> Market:
        return Market(
            seq=close.seq,
            day=close.day,
            symbols=self.window.symbols,
            closes=self.window.closes(),
            prices=self.window.prices,
            quoted=frozenset(close.prices) - {TEST_SYMBOL},
            rehearsal=bool(close.probe),
        )
