"""The tape: the days that the venue replays, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from apps.core.instruments import TEST_SYMBOL, instrument
from apps.core.prices import Day, PriceSource, SourceError

Closes = Mapping[str, str]


@dataclass(frozen=True)
class Tape:
    """All days of a source; live ones are those from `first` on."""

    days: tuple[Day, ...]
    first: int

    @classmethod
    def of(cls, source: PriceSource, start: date) -> Tape:
        """Read a source; `SourceError` where it has no day at or after the start."""
        days = tuple(source.days())
        first = next((day.seq for day in days if day.day >= start), None)
        if first is None:
            last = f", its last is {days[-1].day}" if days else ""
            raise SourceError(f"{source.name} has no day from {start} on{last}")
        return cls(days, first)

    @property
    def last(self) -> int:
        """The sequence of the last day."""
        return self.days[-1].seq

    def symbols(self) -> list[str]:
        """Return every symbol that trades, the test symbol included."""
        known: dict[str, None] = {}
        for day in self.days:
            known |= dict.fromkeys(day.closes)
        return [*known, TEST_SYMBOL]

    def between(self, first: int, last: int) -> Iterator[Day]:
        """Return the days from one sequence to another, both included."""
        return iter(self.days[max(first, 0) : last + 1])


def quotable(day: Day) -> dict[str, Decimal]:
    """Return the prices of a day that can be quoted: numbers above zero, on a tick.

    What cannot is still published as it was found: judging it is the subscriber's part.
    """
    prices: dict[str, Decimal] = {}
    for symbol, raw in day.closes.items():
        try:
            price = Decimal(raw)
        except InvalidOperation:
            continue
        if price.is_finite() and price > 0:
            known = instrument(symbol)
            prices[symbol] = max(known.round_price(price), known.tick)
    return prices
