"""Runs a strategy over past days in this process: the same engine, an idealised venue.

Orders fill in full at their day's close plus or minus half a spread, which is what the
venue simulator's market maker gives to an order that is small against its quote.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from apps.core.instruments import instrument
from apps.core.messages import Close, Decision, Intent, Portfolio, Side
from apps.strategy.engine import Engine

BPS = Decimal(10_000)


def start(capital_usd: Decimal) -> Portfolio:
    """Return the portfolio of a firm that has only its capital."""
    return Portfolio(
        index=0, cash=capital_usd, positions={}, open_qty={}, last_decision={}, halted=False
    )


@dataclass(slots=True)
class Backtest:
    """A run, day by day: feed it closes with `step`."""

    engine: Engine
    portfolio: Portfolio
    half_spread_bps: Decimal = Decimal(1)
    decisions: list[Decision] = field(default_factory=list)
    equity: list[tuple[str, Decimal]] = field(default_factory=list)
    """Day and equity at its close."""
    traded_usd: Decimal = Decimal(0)

    def warm_up(self, days: Iterable[Close]) -> None:
        """Show history to the strategy without trading it."""
        for close in days:
            self.engine.see(close.seq, close.prices)

    def step(self, close: Close) -> Decision:
        """Take one day: decide, fill, value."""
        self.engine.see(close.seq, close.prices)
        decision = self.engine.decide(close, self.portfolio).decision
        for intent in decision.intents:
            self._fill(intent, close.prices[intent.symbol])
        self.decisions.append(decision)
        prices = self.engine.window.prices
        held = (qty * prices[name] for name, qty in self.portfolio.positions.items())
        self.equity.append((close.day, sum(held, self.portfolio.cash)))
        return decision

    def _fill(self, intent: Intent, close: Decimal) -> None:
        sign = 1 if intent.side is Side.BUY else -1
        price = instrument(intent.symbol).round_price(
            close * (1 + sign * self.half_spread_bps / BPS)
        )
        if intent.limit is None or sign * (price - intent.limit) > 0:
            return
        before = self.portfolio
        positions = dict(before.positions)
        positions[intent.symbol] = positions.get(intent.symbol, 0) + sign * intent.qty
        if not positions[intent.symbol]:
            del positions[intent.symbol]
        self.traded_usd += intent.qty * price
        self.portfolio = Portfolio(
            index=before.index + 1,
            cash=before.cash - sign * intent.qty * price,
            positions=positions,
            open_qty={},
            last_decision=before.last_decision,
            halted=False,
        )
