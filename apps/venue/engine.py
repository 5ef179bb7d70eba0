"""The matching engine of the venue, pure: commands go in, events come out.

It has no clock, no socket and no randomness, so that the same commands always give the
same events; replaying the recorded events (`Exchange.restore`) gives the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from apps.core.instruments import Instrument
from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue.book import MAKER, Book, Order

Row = dict[str, Any]
"""An event, in the form in which it is recorded (docs/venue.md)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The venue profile, as far as the engine decides by it."""

    duplicate_check: Literal["firm", "session", "none"] = "firm"
    on_disconnect: Literal["keep", "cancel"] = "keep"
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True


@dataclass(frozen=True, slots=True)
class NewOrder:
    """FIX D."""

    session: str
    cl_ord_id: str
    symbol: str
    side: Side
    qty: int
    order_type: OrderType
    limit: Decimal | None
    tif: TimeInForce


@dataclass(frozen=True, slots=True)
class Cancel:
    """FIX F."""

    session: str
    cl_ord_id: str
    orig: str


@dataclass(frozen=True, slots=True)
class Replace:
    """FIX G: a new quantity (in all, executed shares included) and limit."""

    session: str
    cl_ord_id: str
    orig: str
    qty: int
    limit: Decimal | None


@dataclass(slots=True)
class Exchange:
    """All books of the venue, every order of the trading day and every id ever used."""

    instruments: Mapping[str, Instrument]
    rules: Rules = field(default_factory=Rules)
    day: str = ""
    books: dict[str, Book] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    """The firm's orders by OrderID."""
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    """(session or "", ClOrdID) to OrderID: what a duplicate is judged by."""
    numbers: dict[str, int] = field(default_factory=lambda: {"order": 0, "exec": 0, "maker": 0})

    def __post_init__(self) -> None:
        """Open a book for every instrument."""
        for symbol in self.instruments:
            self.books.setdefault(symbol, Book())

    # Orders

    def enter(self, command: NewOrder) -> list[Row]:
        """Accept or reject an order, and execute what crosses."""
        refusal = self._refusal(command)
        if refusal:
            reason, text = refusal
            return [self._reject(command, reason, text)]
        order = Order(
            order_id=self._next("order", "O"),
            owner=command.session,
            cl_ord_id=command.cl_ord_id,
            symbol=command.symbol,
            side=command.side,
            qty=command.qty,
            leaves=command.qty,
            limit=self._ticks(command.symbol, command.limit),
            tif=command.tif,
        )
        self._keep(order)
        return [self._accepted(order), *self._execute(order)]

    def cancel(self, command: Cancel) -> list[Row]:
        """Cancel an open order, or say why not."""
        order = self._find(command.session, command.orig)
        why = self._unchangeable(command.session, command.cl_ord_id, order)
        if why or order is None:
            return [self._cancel_reject(command, order, why)]
        self.ids[self._scope(command.session), command.cl_ord_id] = order.order_id
        self._take_out(order)
        return [self._closed(order, "cancel", "4", command.cl_ord_id, "", by=command.session)]

    def replace(self, command: Replace) -> list[Row]:
        """Change an open order's quantity and limit; priority stays if it only shrinks."""
        order = self._find(command.session, command.orig)
        why = self._unchangeable(command.session, command.cl_ord_id, order)
        if order is not None and not why:
            why = self._bad_price(order.symbol, command.limit)
            if command.qty <= order.cum:
                why = (99, "quantity is executed already")
        if why or order is None:
            return [self._cancel_reject(command, order, why)]
        limit = self._ticks(order.symbol, command.limit)
        shrinks = limit == order.limit and command.qty <= order.qty
        if not shrinks:
            self._take_out(order)
        self.ids[self._scope(command.session), command.cl_ord_id] = order.order_id
        order.leaves = command.qty - order.cum
        order.qty, order.limit = command.qty, limit
        before, order.cl_ord_id = order.cl_ord_id, command.cl_ord_id
        row = self._row("replace", order, orig=before, by=command.session, keeps_priority=shrinks)
        return [row] if shrinks else [row, *self._execute(order)]

    def status(self, session: str, cl_ord_id: str) -> Order | None:
        """Return the order of an id, as far as the session may see it."""
        order = self._find(session, cl_ord_id)
        if order and self.rules.status_scope == "session" and order.owner != session:
            return None
        return order

    def open_orders(self, session: str) -> list[Order]:
        """Return the open orders that a session may see, oldest first."""
        return [
            order
            for order in self.orders.values()
            if order.open and (self.rules.status_scope == "firm" or order.owner == session)
        ]

    # What happens to the venue

    def disconnect(self, session: str) -> list[Row]:
        """Cancel what a session has open, where the profile says so."""
        if self.rules.on_disconnect == "keep":
            return []
        return self._close_all(
            [o for o in self.orders.values() if o.open and o.owner == session],
            *("cancel", "4", "session disconnected"),
        )

    def end_day(self, day: str) -> list[Row]:
        """Expire what is open, and begin another trading day."""
        rows = self._close_all(
            [o for o in self.orders.values() if o.open], "expire", "C", "end of the trading day"
        )
        self.day = day
        return rows

    def quote(self, symbol: str, bid: Decimal, offer: Decimal, qty: int) -> list[Row]:
        """Replace the market maker's quotes; what crosses them is executed."""
        book, rows = self.books[symbol], list[Row]()
        for half in book.halves.values():
            for old in [o for o in half.orders() if o.owner == MAKER]:
                half.remove(old)
        for side, price in ((Side.BUY, bid), (Side.SELL, offer)):
            number = self._next("maker", "M")
            quote = Order(
                number,
                MAKER,
                number,
                symbol,
                side,
                qty,
                qty,
                self._ticks(symbol, price),
                TimeInForce.DAY,
            )
            rows += self._execute(quote)
        return rows

    def top(self, symbol: str) -> dict[Side, tuple[Decimal, int]]:
        """Return price and shares of the best bid (buy) and offer (sell)."""
        tick = self.instruments[symbol].tick
        return {
            side: (price * tick, half.best_qty())
            for side, half in self.books[symbol].halves.items()
            if (price := half.best()) is not None
        }

    # From a record

    def restore(self, rows: Iterable[Row]) -> None:
        """Take the state that recorded events left; the maker quotes anew afterwards."""
        for row in rows:
            self._restore(row)

    def _restore(self, row: Row) -> None:
        match row["kind"]:
            case "day":
                self.day = row["day"]
            case "accept":
                self._restore_accept(row)
            case "execution":
                order = self.orders[row["order_id"]]
                order.fill(row["qty"], int(Decimal(row["price"]) / self._tick(row["symbol"])))
                if not order.open:
                    self._take_out(order)
            case "cancel" | "expire":
                order = self.orders[row["order_id"]]
                self._take_out(order)
                order.leaves, order.status = 0, row["status"]
                if row["cl_ord_id"] != order.cl_ord_id:
                    self.ids[self._scope(row["by"]), row["cl_ord_id"]] = order.order_id
            case "replace":
                self._restore_replace(row)
        if "exec_id" in row:
            self.numbers["exec"] = max(self.numbers["exec"], int(row["exec_id"][1:]))

    def _restore_accept(self, row: Row) -> None:
        self.numbers["order"] = max(self.numbers["order"], int(row["order_id"][1:]))
        order = Order(
            order_id=row["order_id"],
            owner=row["session"],
            cl_ord_id=row["cl_ord_id"],
            symbol=row["symbol"],
            side=Side(row["side"]),
            qty=row["qty"],
            leaves=row["qty"],
            limit=self._limit(row),
            tif=TimeInForce(row["tif"]),
        )
        self._keep(order)
        if order.tif is TimeInForce.DAY and order.limit is not None:
            self._put_back(order)

    def _restore_replace(self, row: Row) -> None:
        order = self.orders[row["order_id"]]
        if not row["keeps_priority"]:
            self._take_out(order)
        order.qty, order.leaves = row["qty"], row["qty"] - order.cum
        order.limit, order.cl_ord_id = self._limit(row), row["cl_ord_id"]
        self.ids[self._scope(row["by"]), row["cl_ord_id"]] = order.order_id
        if not row["keeps_priority"]:
            self._put_back(order)

    def _limit(self, row: Row) -> int | None:
        limit = row["limit"]
        return self._ticks(row["symbol"], None if limit is None else Decimal(limit))

    # Inside

    def _refusal(self, command: NewOrder) -> tuple[int, str] | None:
        """Return OrdRejReason (103) and words for an order that is not accepted."""
        if self._duplicate(command.session, command.cl_ord_id):
            return 6, "duplicate ClOrdID"
        if command.symbol not in self.books:
            return 1, "unknown symbol"
        if command.qty <= 0:
            return 13, "quantity must be positive"
        if (command.order_type is OrderType.LIMIT) != (command.limit is not None):
            return 99, "a limit order has a price, a market order has none"
        return self._bad_price(command.symbol, command.limit)

    def _bad_price(self, symbol: str, limit: Decimal | None) -> tuple[int, str] | None:
        if limit is None:
            return None
        if limit <= 0:
            return 99, "price must be positive"
        try:
            self.instruments[symbol].ticks(limit)
        except ValueError as fault:
            return 99, str(fault)
        return None

    def _unchangeable(
        self, session: str, cl_ord_id: str, order: Order | None
    ) -> tuple[int, str] | None:
        """Return CxlRejReason (102) and words where an order cannot be changed."""
        if order is None:
            return 1, "unknown order"
        if self._duplicate(session, cl_ord_id):
            return 6, "duplicate ClOrdID"
        if order.owner != session and not self.rules.cross_session_cancel:
            return 99, "the order belongs to another session"
        if not order.open:
            return 0, "too late: the order is closed"
        return None

    def _scope(self, session: str) -> str:
        return session if self.rules.duplicate_check == "session" else ""

    def _duplicate(self, session: str, cl_ord_id: str) -> bool:
        if self.rules.duplicate_check == "none":
            return False
        return (self._scope(session), cl_ord_id) in self.ids

    def _find(self, session: str, cl_ord_id: str) -> Order | None:
        number = self.ids.get((self._scope(session), cl_ord_id))
        if number is None and self.rules.duplicate_check == "session":
            number = next((n for (_, known), n in self.ids.items() if known == cl_ord_id), None)
        return None if number is None else self.orders.get(number)

    def _keep(self, order: Order) -> None:
        self.orders[order.order_id] = order
        self.ids[self._scope(order.owner), order.cl_ord_id] = order.order_id

    def _put_back(self, order: Order) -> None:
        self.books[order.symbol].halves[order.side].add(order)

    def _take_out(self, order: Order) -> None:
        half = self.books[order.symbol].halves[order.side]
        if any(found is order for found in half.orders()):
            half.remove(order)

    def _execute(self, order: Order) -> Iterator[Row]:
        """Execute an order against the book; rest, cancel or kill what is left."""
        book = self.books[order.symbol]
        found, own = book.matches(order)
        if order.tif is TimeInForce.FOK and sum(m.qty for m in found) < order.leaves:
            yield self._closed(order, "cancel", "4", order.cl_ord_id, "fill or kill: not filled")
            return
        for match in found:
            order.fill(match.qty, match.price)
            match.resting.fill(match.qty, match.price)
            if match.resting.leaves == 0:
                book.halves[match.resting.side].remove(match.resting)
            firm = match.resting if order.owner == MAKER else order
            yield self._execution(firm, match.qty, match.price)
        if not order.leaves:
            return
        if own and order.owner != MAKER:
            yield self._closed(order, "cancel", "4", order.cl_ord_id, "would trade with own firm")
        elif order.tif is TimeInForce.DAY and order.limit is not None:
            self._put_back(order)
        elif order.owner != MAKER:
            why = "immediate or cancel" if order.limit is not None else "no more liquidity"
            yield self._closed(order, "cancel", "4", order.cl_ord_id, why)

    def _close_all(self, orders: list[Order], kind: str, status: str, text: str) -> list[Row]:
        rows = []
        for order in orders:
            self._take_out(order)
            rows.append(self._closed(order, kind, status, order.cl_ord_id, text))
        return rows

    def _closed(
        self, order: Order, kind: str, status: str, request: str, text: str, *, by: str = ""
    ) -> Row:
        """Close an order; `by` is the session that asked for it, if one did."""
        order.leaves, order.status = 0, status
        row = self._row(kind, order, text=text, by=by or order.owner)
        row["orig"], row["cl_ord_id"] = order.cl_ord_id, request
        return row

    def _accepted(self, order: Order) -> Row:
        return self._row("accept", order)

    def _execution(self, order: Order, qty: int, price: int) -> Row:
        row = self._row("execution", order, price=str(price * self._tick(order.symbol)))
        return row | {"order_qty": order.qty, "qty": qty}

    def _reject(self, command: NewOrder, reason: int, text: str) -> Row:
        return {
            "kind": "reject",
            "day": self.day,
            "exec_id": self._next("exec", "E"),
            "session": command.session,
            "order_id": "NONE",
            "cl_ord_id": command.cl_ord_id,
            "symbol": command.symbol,
            "side": command.side.value,
            "qty": command.qty,
            "reason": reason,
            "text": text,
        }

    def _cancel_reject(
        self, command: Cancel | Replace, order: Order | None, why: tuple[int, str] | None
    ) -> Row:
        reason, text = why or (99, "cannot be changed")
        return {
            "kind": "cancel_reject",
            "day": self.day,
            "session": command.session,
            "order_id": order.order_id if order else "NONE",
            "cl_ord_id": command.cl_ord_id,
            "orig": command.orig,
            "status": order.status if order else "8",
            "response_to": "1" if isinstance(command, Cancel) else "2",
            "reason": reason,
            "text": text,
        }

    def _row(self, kind: str, order: Order, **more: object) -> Row:
        return {
            "kind": kind,
            "day": self.day,
            "exec_id": self._next("exec", "E"),
            "session": order.owner,
            "order_id": order.order_id,
            "cl_ord_id": order.cl_ord_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "qty": order.qty,
            "limit": None if order.limit is None else str(order.limit * self._tick(order.symbol)),
            "tif": order.tif.value,
            "status": order.status,
            "cum_qty": order.cum,
            "leaves_qty": order.leaves,
            "avg_px": str(self.average(order)),
            **more,
        }

    def average(self, order: Order) -> Decimal:
        """Return the average price of what was executed, 0 where nothing was."""
        if order.cum == 0:
            return Decimal(0)
        return (order.value * self._tick(order.symbol) / order.cum).quantize(Decimal("0.000001"))

    def _next(self, kind: str, letter: str) -> str:
        self.numbers[kind] += 1
        return f"{letter}{self.numbers[kind]}"

    def _tick(self, symbol: str) -> Decimal:
        return self.instruments[symbol].tick

    def _ticks(self, symbol: str, price: Decimal | None) -> int | None:
        return None if price is None else self.instruments[symbol].ticks(price)
