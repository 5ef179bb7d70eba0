"""The rolling window of closes that strategies look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np

from apps.strategy.api import FloatArray

NEVER = -1
"""The sequence before the first day."""


class Window:
    """The last `days` closes of every symbol, gaps carried forward.

    Columns are sorted by symbol and rows are copied in order, so that the same days give
    the same array in whatever pieces they came: a restarted engine computes alike.
    """

    def __init__(self, days: int, symbols: Iterable[str] = ()) -> None:
        """Prepare an empty window."""
        self.days = max(days, 1)
        self.symbols: tuple[str, ...] = tuple(sorted(set(symbols)))
        self.prices: dict[str, Decimal] = {}
        """The last known close of each symbol."""
        self.seq = NEVER
        self._rows = self._empty()
        self._end = 0

    def _empty(self) -> FloatArray:
        return np.full((2 * self.days, len(self.symbols)), np.nan)

    def clear(self) -> None:
        """Forget every day; the symbols stay."""
        self.prices = {}
        self.seq = NEVER
        self._rows = self._empty()
        self._end = 0

    def append(self, seq: int, closes: Mapping[str, Decimal]) -> None:
        """Add the closes of the next day; ValueError where the day is not later."""
        if seq <= self.seq:
            raise ValueError(f"day {seq} is not after day {self.seq}")
        if not self.prices.keys() >= closes.keys():
            self._widen(closes)
        if self._end == len(self._rows):
            self._rows[: self.days] = self._rows[self.days :]
            self._end = self.days
        self.prices.update(closes)
        self._rows[self._end] = [float(self.prices.get(name, "nan")) for name in self.symbols]
        self._end += 1
        self.seq = seq

    def _widen(self, closes: Mapping[str, Decimal]) -> None:
        symbols = tuple(sorted({*self.symbols, *closes}))
        if symbols == self.symbols:
            return
        old, columns = self._rows, [symbols.index(name) for name in self.symbols]
        self.symbols = symbols
        self._rows = self._empty()
        self._rows[:, columns] = old

    def closes(self) -> FloatArray:
        """Return the closes, shape (days, symbols), oldest first; read-only, valid until append."""
        view = self._rows[max(0, self._end - self.days) : self._end]
        view.flags.writeable = False
        return view
