"""The order book of one symbol: price-time priority over integer ticks, pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from apps.core.messages import Side, TimeInForce

MAKER = "maker"
"""Owner of the public market maker's quotes."""


@dataclass(slots=True)
class Order:
    """An order that the venue accepted; `leaves` is what can still be executed."""

    order_id: str
    owner: str
    """CompID of the session that entered it, or `MAKER`."""
    cl_ord_id: str
    symbol: str
    side: Side
    qty: int
    leaves: int
    limit: int | None
    """Limit price in ticks; None for a market order."""
    tif: TimeInForce
    cum: int = 0
    value: int = 0
    """Sum of executed shares times ticks: the average price is value / cum."""
    status: str = "0"
    """OrdStatus (39)."""

    def fill(self, qty: int, price: int) -> None:
        """Execute some shares at a price in ticks."""
        self.leaves -= qty
        self.cum += qty
        self.value += qty * price
        self.status = "2" if self.leaves == 0 else "1"

    @property
    def price(self) -> int:
        """The price at which it rests, in ticks; a market order has none and never rests."""
        if self.limit is None:
            raise ValueError(f"{self.order_id} is a market order")
        return self.limit

    @property
    def open(self) -> bool:
        """Whether it can still be executed."""
        return self.status in "01"


@dataclass(frozen=True, slots=True)
class Match:
    """The incoming order met a resting one."""

    resting: Order
    qty: int
    price: int


class Half:
    """One side of a book: levels by price, orders of a level by time."""

    def __init__(self, side: Side) -> None:
        """Make an empty half."""
        self._sign = -1 if side is Side.BUY else 1
        self._keys: list[int] = []
        self._levels: dict[int, deque[Order]] = {}

    def add(self, order: Order) -> None:
        """Rest an order behind those of its price."""
        key = self._sign * order.price
        if key not in self._levels:
            insort(self._keys, key)
            self._levels[key] = deque()
        self._levels[key].append(order)

    def remove(self, order: Order) -> None:
        """Take an order out."""
        key = self._sign * order.price
        level = self._levels[key]
        level.remove(order)
        if not level:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]

    def best(self) -> int | None:
        """Return the best price in ticks."""
        return self._sign * self._keys[0] if self._keys else None

    def best_qty(self) -> int:
        """Return the shares at the best price."""
        return sum(o.leaves for o in self._levels[self._keys[0]]) if self._keys else 0

    def orders(self) -> Iterator[Order]:
        """Return the orders in the order in which they would be executed."""
        for key in self._keys:
            yield from self._levels[key]


class Book:
    """Both sides of a symbol."""

    def __init__(self) -> None:
        """Make an empty book."""
        self.halves = {side: Half(side) for side in Side}

    def opposite(self, side: Side) -> Half:
        """Return the half that an order of this side is executed against."""
        return self.halves[Side.SELL if side is Side.BUY else Side.BUY]

    def matches(self, order: Order) -> tuple[list[Match], bool]:
        """Return what an incoming order would be executed against; changes nothing.

        The second value says that it then meets an order of its own firm (all sessions
        but the maker's belong to the firm): such a trade does not happen, the incoming
        order's remainder is cancelled.
        """
        found: list[Match] = []
        left = order.leaves
        for resting in self.opposite(order.side).orders():
            if left == 0 or not _crosses(order, resting.price):
                break
            if (resting.owner == MAKER) == (order.owner == MAKER):
                return found, True
            qty = min(left, resting.leaves)
            found.append(Match(resting, qty, resting.price))
            left -= qty
        return found, False


def _crosses(order: Order, price: int) -> bool:
    if order.limit is None:
        return True
    return price <= order.limit if order.side is Side.BUY else price >= order.limit
