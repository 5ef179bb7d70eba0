"""Reconciliation: the venue's record, the journal and the books, compared execution by execution.

Pure: three accounts of the same trading come in as values, and what disagrees comes out.
The venue's record is the outside witness; P&L is right when all three are one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from apps.core.messages import Fill, OrderState, OrderUpdate, Side
from apps.core.records import JournalRecord
from apps.execution.actions import Publish
from apps.execution.apply import apply
from apps.execution.portfolio import Portfolio
from apps.execution.state import State

Key = tuple[str, str, str]
"""Trading day, ExecID, side: one execution at one venue."""


class Filled(msgspec.Struct, frozen=True, order=True):
    """What an execution says, however it came to be known."""

    order: str
    symbol: str
    side: Side
    qty: int
    price: Decimal


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account of the trading: orders in their state, executions, holdings.

    `orders` maps to the state where it is known and to None where the account has only the
    order; `entered` counts how often each order was accepted; `repeated` are keys that
    occurred more than once.
    """

    name: str
    orders: Mapping[str, OrderState | None]
    fills: Mapping[Key, Filled]
    entered: Mapping[str, int] = {}
    repeated: tuple[Key, ...] = ()
    positions: Mapping[str, int] | None = None
    cash: Decimal | None = None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the accounts disagree about; every list empty is the only good answer."""

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing disagrees."""
        return not (self.lost or self.duplicated or self.mismatched or self.unsettled)


def of_venue(lines: Iterable[str | bytes]) -> Account:
    """Return the account of a venue's record; a torn last line is no record."""
    entered: Counter[str] = Counter()
    orders: dict[str, OrderState | None] = {}
    fills: dict[Key, Filled] = {}
    repeated: list[Key] = []
    for row in _rows(lines):
        if row.get("maker"):
            continue
        if row["kind"] == "accept":
            entered[row["cl_ord_id"]] += 1
            orders.setdefault(row["cl_ord_id"], None)
        elif row["kind"] == "execution":
            side = Side(row["side"])
            key = (row["day"], row["exec_id"], side.value)
            if key in fills:
                repeated.append(key)
            price = Decimal(str(row["price"]))
            fills[key] = Filled(row["cl_ord_id"], row["symbol"], side, row["qty"], price)
    return Account(
        name="venue", orders=orders, fills=fills, entered=entered, repeated=tuple(repeated)
    )


def _rows(lines: Iterable[str | bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def of_journal(records: Iterable[JournalRecord]) -> Account:
    """Return the account that the journal's records give."""
    state, fills, repeated = State(), dict[Key, Filled](), list[Key]()
    orders: dict[str, OrderState | None] = {}
    for record in records:
        actions = apply(state, record)
        for action in actions:
            if not isinstance(action, Publish):
                continue
            told = action.message
            if isinstance(told, Fill):
                key = (told.day, told.exec_id, told.side.value)
                if key in fills:
                    repeated.append(key)
                fills[key] = Filled(told.order, told.symbol, told.side, told.qty, told.price)
            elif isinstance(told, OrderUpdate) and told.id in state.orders:
                orders[told.id] = told.state
        orders |= {order: state.orders[order].state for order in state.open}
    return Account(
        name="journal",
        orders=orders,
        fills=fills,
        repeated=tuple(repeated),
        positions={s: p.qty for s, p in state.portfolio.positions.items() if p.qty},
        cash=state.portfolio.cash,
    )


def of_books(
    *,
    orders: Iterable[tuple[str, str]],
    fills: Iterable[tuple[str, str, str, str, str, int, Decimal]],
    positions: Iterable[tuple[str, int]],
    cash: Decimal,
) -> Account:
    """Return the account that the rows of PostgreSQL give.

    `orders` are (id, state), `fills` (day, exec_id, side, order_id, symbol, qty, price) with
    the day in ISO form, `positions` (symbol, qty).
    """
    return Account(
        name="books",
        orders={order: OrderState(state) for order, state in orders},
        fills={
            (day, exec_id, side): Filled(order, symbol, Side(side), qty, price)
            for day, exec_id, side, order, symbol, qty, price in fills
        },
        positions={symbol: qty for symbol, qty in positions if qty},
        cash=cash,
    )


def compare(venue: Account, inner: Account, *, capital_usd: Decimal | None = None) -> Findings:
    """Return what an inner account (journal or books) and the venue's record disagree about."""
    lost = [
        f"{inner.name}: order {o} is at the venue only" for o in venue.orders.keys() - inner.orders
    ]
    lost += [f"{inner.name}: execution {k} not booked" for k in venue.fills.keys() - inner.fills]
    duplicated = [f"venue accepted {o} {n} times" for o, n in venue.entered.items() if n > 1]
    duplicated += [f"{a.name}: execution {k} twice" for a in (venue, inner) for k in a.repeated]
    mismatched = [
        f"{inner.name}: execution {k} is not at the venue"
        for k in inner.fills.keys() - venue.fills.keys()
    ]
    mismatched += [
        f"{inner.name}: execution {k} is {inner.fills[k]}, at the venue {venue.fills[k]}"
        for k in venue.fills.keys() & inner.fills.keys()
        if venue.fills[k] != inner.fills[k]
    ]
    mismatched += _holdings(venue, inner, capital_usd)
    unsettled = [
        f"{inner.name}: order {o} is {s}"
        for o, s in inner.orders.items()
        if s is not None and not s.settled
    ]
    return Findings(
        lost=tuple(sorted(lost)),
        duplicated=tuple(sorted(duplicated)),
        mismatched=tuple(sorted(mismatched)),
        unsettled=tuple(sorted(unsettled)),
    )


def _holdings(venue: Account, inner: Account, capital_usd: Decimal | None) -> list[str]:
    """Compare what is held with what the venue's executions alone lead to."""
    if inner.positions is None:
        return []
    held = Portfolio(capital_usd or Decimal(0))
    for fill in venue.fills.values():
        held = held.book(fill.symbol, fill.side, fill.qty, fill.price)
    shares = {symbol: p.qty for symbol, p in held.positions.items() if p.qty}
    found = []
    if dict(inner.positions) != shares:
        found.append(f"{inner.name}: positions {dict(inner.positions)}, by the venue {shares}")
    if capital_usd is not None and inner.cash != held.cash:
        found.append(f"{inner.name}: cash {inner.cash}, by the venue {held.cash}")
    return found
