"""The order book of one symbol: price-time priority in integer ticks.

It holds what rests and says in which order it trades; whether something trades is the
engine's to decide.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

from apps.core.messages import Side


@dataclass(slots=True, eq=False)
class Entry:
    """What rests in the book: `leaves` shares at `ticks`; `maker` is the public's."""

    order_id: str
    symbol: str
    side: Side
    ticks: int
    leaves: int
    maker: bool


class Ladder:
    """One side of a book. Levels are kept by aggressiveness: the best is the last."""

    def __init__(self, side: Side) -> None:
        """Make an empty side."""
        self._sign = 1 if side is Side.BUY else -1
        self._keys: list[int] = []
        self._levels: dict[int, dict[str, Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Queue an entry behind all others of its price."""
        key = self._sign * entry.ticks
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = {}
            insort(self._keys, key)
        level[entry.order_id] = entry

    def remove(self, entry: Entry) -> None:
        """Take an entry out."""
        key = self._sign * entry.ticks
        level = self._levels[key]
        del level[entry.order_id]
        if not level:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]

    def best(self) -> int | None:
        """Return the best price in ticks, or None where the side is empty."""
        return self._sign * self._keys[-1] if self._keys else None

    def depth(self, ticks: int) -> int:
        """Return the shares that rest at a price."""
        level = self._levels.get(self._sign * ticks, {})
        return sum(entry.leaves for entry in level.values())

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in the order in which they trade: by price, then by time."""
        for key in reversed(self._keys):
            yield from self._levels[key].values()


class Book:
    """Both sides of one symbol."""

    def __init__(self) -> None:
        """Make an empty book."""
        self.bids = Ladder(Side.BUY)
        self.offers = Ladder(Side.SELL)

    def side(self, side: Side) -> Ladder:
        """Return the side on which an order of this side rests."""
        return self.bids if side is Side.BUY else self.offers

    def against(self, side: Side) -> Ladder:
        """Return the side that an order of this side trades with."""
        return self.offers if side is Side.BUY else self.bids


def reaches(side: Side, limit: int | None, ticks: int) -> bool:
    """Return whether an order of a side and limit (None: market) trades at a price."""
    return limit is None or (ticks <= limit if side is Side.BUY else ticks >= limit)
