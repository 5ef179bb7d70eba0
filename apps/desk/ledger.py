"""The ledger: (fills, closes) -> equity, profit and loss, and the index to compare with.

Pure and exact. Money is kept as whole ten-thousandths of a dollar, the tick of the
platform, so that a sum never rounds and a day of twenty stocks takes 200 bytes; what
leaves is Decimal. Fills and closes may arrive in any order and more than once: the
result is that of sorting them first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

UNITS_PER_USD = 10_000
"""Of every integer amount here: prices, cash and equity."""


@dataclass(frozen=True, slots=True)
class Booking:
    """An execution as the ledger books it; `key` is what makes it one execution.

    `day` is the ISO trading day, `qty` the signed count of shares (negative for a sale).
    """

    key: tuple[str, str, str, str]
    day: str
    symbol: str
    qty: int
    price: Decimal


@dataclass(slots=True)
class Holding:
    """One instrument: shares, cash that its fills earned (or spent), and the last day's part."""

    last: int
    """The last close; before the first, the price of the first fill."""
    qty: int = 0
    flow: int = 0
    today_qty: int = 0
    today_flow: int = 0
    closes: array[int] = field(default_factory=lambda: array("q"))
    """The close of every day; before its first known price, that price."""
    listed: bool = False
    """Whether a close was seen: the index holds it from the day after."""

    @property
    def value(self) -> int:
        """The shares at the last close."""
        return self.qty * self.last

    @property
    def pnl(self) -> int:
        """Realized and unrealized profit since the start."""
        return self.flow + self.value

    @property
    def pnl_today(self) -> int:
        """The profit since the close before the last."""
        before = self.closes[-2] if len(self.closes) > 1 else self.last
        held = self.qty - self.today_qty
        return held * (self.last - before) + self.today_flow + self.today_qty * self.last


class Ledger:
    """Equity day by day, beside an equal-weighted index of the same stocks.

    The index starts at the capital on the first day and is rebalanced to equal weights at
    every close; a stock without a close on a day counts as unchanged.
    """

    def __init__(self, capital: Decimal) -> None:
        """Start with the capital in cash, before the first day."""
        self.capital = units(capital)
        self.cash = self.capital
        self.days: list[str] = []
        self.seqs: list[int] = []
        self.equity: array[int] = array("q")
        self.index: array[float] = array("d")
        """Of every day, in dollars; rounded, since nothing is booked by it."""
        self.holdings: dict[str, Holding] = {}
        self._level = capital
        self._booked: set[tuple[str, str, str, str]] = set()
        self._ahead: list[Booking] = []

    @property
    def last_seq(self) -> int:
        """The market-data sequence of the last day; -1 before the first."""
        return self.seqs[-1] if self.seqs else -1

    @property
    def value(self) -> int:
        """Equity now: cash, and every share at its last close."""
        return self.cash + sum(h.value for h in self.holdings.values() if h.qty)

    @property
    def gross(self) -> int:
        """Gross exposure: the absolute value of every position."""
        return sum(abs(h.value) for h in self.holdings.values())

    @property
    def pnl(self) -> int:
        """Profit since the start."""
        return self.value - self.capital

    @property
    def pnl_today(self) -> int:
        """Profit since the close before the last."""
        return self.value - (self.equity[-2] if len(self.equity) > 1 else self.capital)

    def drawdown(self) -> tuple[Decimal, Decimal]:
        """Return the fall from the highest equity so far: now, and at its deepest; as a ratio."""
        peak, deepest, now = self.capital, Decimal(0), Decimal(0)
        for equity in self.equity:
            peak = max(peak, equity)
            now = Decimal(peak - equity) / peak if peak > 0 else Decimal(0)
            deepest = max(deepest, now)
        return now, deepest

    def close(self, seq: int, day: str, prices: Mapping[str, Decimal]) -> bool:
        """Add a day; return False where it is not after the last one, and so known already."""
        if seq <= self.last_seq:
            return False
        self._advance_index(prices)
        for symbol, price in prices.items():
            holding = self._holding(symbol, units(price))
            holding.last, holding.listed = units(price), True
        for holding in self.holdings.values():
            holding.today_qty = holding.today_flow = 0
            holding.closes.append(holding.last)
        self.days.append(day)
        self.seqs.append(seq)
        self.equity.append(self.value)
        ahead, self._ahead = self._ahead, []
        for booking in ahead:
            self.equity[-1] -= self._effect(booking, len(self.days) - 1)
            self._place(booking)
        self.index.append(float(self._level))
        return True

    def book(self, booking: Booking) -> int | None:
        """Book an execution; return the index of the first day that it restates.

        That is the count of days where it belongs to a day not seen yet, and None where it
        was booked before.
        """
        if booking.key in self._booked:
            return None
        self._booked.add(booking.key)
        price = units(booking.price)
        holding = self._holding(booking.symbol, price)
        holding.qty += booking.qty
        holding.flow -= booking.qty * price
        self.cash -= booking.qty * price
        return self._place(booking)

    def _place(self, booking: Booking) -> int:
        """Restate the equity of every day from the booking's own on."""
        first, last = bisect_left(self.days, booking.day), len(self.days) - 1
        if first > last:
            self._ahead.append(booking)
        for at in range(first, last + 1):
            self.equity[at] += self._effect(booking, at)
        if first >= last:
            holding = self.holdings[booking.symbol]
            holding.today_qty += booking.qty
            holding.today_flow -= booking.qty * units(booking.price)
        return first

    def _effect(self, booking: Booking, at: int) -> int:
        """Return what a booking adds to the equity of a day."""
        close = self.holdings[booking.symbol].closes[at]
        return booking.qty * (close - units(booking.price))

    def _holding(self, symbol: str, price: int) -> Holding:
        found = self.holdings.get(symbol)
        if found is None:
            found = Holding(last=price, closes=array("q", [price]) * len(self.days))
            self.holdings[symbol] = found
        return found

    def _advance_index(self, prices: Mapping[str, Decimal]) -> None:
        members = {s: h.last for s, h in self.holdings.items() if h.listed and h.last > 0}
        if members:
            moves = (
                Decimal(units(prices[s])) / before if s in prices else Decimal(1)
                for s, before in members.items()
            )
            self._level *= sum(moves, Decimal(0)) / len(members)


def units(usd: Decimal) -> int:
    """Return an amount in ten-thousandths of a dollar; ValueError where it has more digits."""
    scaled = usd * UNITS_PER_USD
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{usd} has more than four digits after the point")
    return whole


def usd(amount: int) -> Decimal:
    """Return an amount in dollars, with all its digits."""
    return Decimal(amount).scaleb(-4)
