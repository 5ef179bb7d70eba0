"""The portfolio: cash and positions, booked execution by execution in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from apps.core.messages import Side


class Position(msgspec.Struct, frozen=True):
    """Shares held of one instrument (negative: short), and what they cost by average cost.

    `cost` has the sign of `qty`.
    """

    qty: int = 0
    cost: Decimal = Decimal(0)

    def book(self, side: Side, qty: int, price: Decimal) -> Position:
        """Return the position after an execution.

        What adds costs its price; what reduces leaves at average cost; what turns the
        position around starts it anew at the price.
        """
        change = qty if side is Side.BUY else -qty
        after = self.qty + change
        if after == 0:
            return Position()
        if self.qty * change >= 0:
            return Position(after, self.cost + change * price)
        if self.qty * after < 0:
            return Position(after, after * price)
        return Position(after, self.cost * after / self.qty)


class Portfolio(msgspec.Struct, frozen=True):
    """What is held: cash in USD and positions by symbol."""

    cash: Decimal = Decimal(0)
    positions: Mapping[str, Position] = {}

    def book(self, symbol: str, side: Side, qty: int, price: Decimal) -> Portfolio:
        """Return the portfolio after an execution."""
        paid = qty * price if side is Side.BUY else -qty * price
        before = self.positions.get(symbol, Position())
        positions = {**self.positions, symbol: before.book(side, qty, price)}
        return Portfolio(self.cash - paid, positions)

    def deposit(self, usd: Decimal) -> Portfolio:
        """Return the portfolio after a deposit; negative for a withdrawal."""
        return Portfolio(self.cash + usd, self.positions)

    def qty(self, symbol: str) -> int:
        """Return the shares held of an instrument."""
        return self.positions.get(symbol, Position()).qty
