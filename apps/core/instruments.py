"""Instruments: identity, tick and lot size.

The bundled prices are adjusted for splits and dividends, so that a share of 1990 costs
cents: the tick is the $0.0001 that SEC Rule 612 allows below one dollar.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

TEST_SYMBOL = "ZVZZT"
"""Nasdaq's test symbol: probes trade it, and nobody else does."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: `symbol` at the market `mic` (ISO 10383)."""

    symbol: str
    mic: str
    tick: Decimal = Decimal("0.0001")
    lot: int = 1
    currency: str = "USD"

    def round_price(self, price: Decimal) -> Decimal:
        """Return the price on the nearest tick."""
        return (price / self.tick).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * self.tick

    def ticks(self, price: Decimal) -> int:
        """Return a price that lies on a tick as a count of ticks; ValueError where it does not."""
        count = price / self.tick
        if count != count.to_integral_value():
            raise ValueError(f"{self.symbol}: {price} is not a multiple of the tick {self.tick}")
        return int(count)


_NASDAQ = frozenset({"AAPL", "AMD", "MSFT", "PEP", TEST_SYMBOL})
_NYSE = frozenset(
    {"BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO"}
    | {"LLY", "MRK", "PFE", "PG", "RRC", "UNH", "WMT", "XOM"}
)


def instrument(symbol: str) -> Instrument:
    """Return the instrument of a symbol; one of an unknown market is at `XXXX` (ISO 10383)."""
    if symbol in _NASDAQ:
        return Instrument(symbol=symbol, mic="XNAS")
    return Instrument(symbol=symbol, mic="XNYS" if symbol in _NYSE else "XXXX")
