"""The venue's state, changed by nothing but `apply`: live, and from the record alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from apps.core.instruments import TEST_SYMBOL, Instrument, instrument
from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue.book import Book, Entry
from apps.venue.lines import (
    Accept,
    Cancel,
    CancelReject,
    DayLine,
    Event,
    Execution,
    Expire,
    LogonLine,
    LogoutLine,
    Quote,
    Refusal,
    Reject,
    Renew,
    Replace,
    Report,
    Status,
)

_OPEN = (Status.NEW, Status.PARTIALLY_FILLED)
AVERAGE_PLACES = Decimal("1E-8")
"""An average price is not on a tick; it is rounded to this."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What this venue promises (DESIGN.md, the order path, points 6 to 8)."""

    duplicate_check: Literal["firm", "session", "none"] = "firm"
    on_disconnect: Literal["keep", "cancel"] = "keep"
    status_request: bool = True
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True


@dataclass(slots=True, eq=False)
class Order:
    """An order of the firm, open or done; `notional` is the sum of quantity times price."""

    session: str
    cl_ord_id: str
    order_id: str
    symbol: str
    side: Side
    type: OrderType
    limit: Decimal | None
    tif: TimeInForce
    qty: int
    status: Status
    cum_qty: int = 0
    notional: Decimal = Decimal(0)
    text: str = ""

    @property
    def open(self) -> bool:
        """Whether it can still trade."""
        return self.status in _OPEN

    @property
    def leaves_qty(self) -> int:
        """What can still trade."""
        return self.qty - self.cum_qty if self.open else 0

    @property
    def avg_px(self) -> Decimal:
        """The average price of what traded, 0 where nothing did."""
        return average(self.notional, self.cum_qty)


def average(notional: Decimal, qty: int) -> Decimal:
    """Return an average price, rounded to eight places."""
    return (notional / qty).quantize(AVERAGE_PLACES) if qty else Decimal(0)


class State:
    """Books, orders, sessions, the trading day, and the number of the next line."""

    def __init__(self, profile: Profile) -> None:
        """Make the state of an empty record."""
        self.profile = profile
        self.next_n = 1
        self.seq = -1
        self.day = ""
        self.closes: dict[str, str] = {}
        self.quotes: dict[str, Quote] = {}
        self.instruments: dict[str, Instrument] = {TEST_SYMBOL: instrument(TEST_SYMBOL)}
        self.books: dict[str, Book] = {TEST_SYMBOL: Book()}
        self.entries: dict[str, Entry] = {}
        self.orders: dict[str, Order] = {}
        self.today: dict[str, Order] = {}
        """Orders that were entered on this trading day, by OrderID."""
        self.open: dict[str, Order] = {}
        """Orders that can still trade, the oldest first."""
        self.logged_on: set[str] = set()
        self._ids: dict[str, Order | None] = {}
        self._session_ids: dict[tuple[str, str], Order | None] = {}

    def known(self, session: str, cl_ord_id: str) -> bool:
        """Return whether the profile holds this ClOrdID for a duplicate."""
        match self.profile.duplicate_check:
            case "firm":
                return cl_ord_id in self._ids
            case "session":
                return (session, cl_ord_id) in self._session_ids
            case "none":
                return False

    def find(self, session: str, cl_ord_id: str, order_id: str = "") -> Order | None:
        """Return the order of a ClOrdID (the session's own first) or of an OrderID."""
        found = self._session_ids.get((session, cl_ord_id)) or self._ids.get(cl_ord_id)
        return found or self.orders.get(order_id)

    def apply(self, line: Event) -> None:
        """Change the state by one line of the record."""
        if line.n != self.next_n:
            raise ValueError(f"line {line.n} where line {self.next_n} was due")
        self.next_n += 1
        change = _CHANGES.get(type(line))
        if change is not None:
            change(self, line)

    def _accept(self, line: Accept) -> None:
        self._enter(line, Status.NEW)

    def _reject(self, line: Reject) -> None:
        if line.reason is not Refusal.DUPLICATE:
            self._enter(line, Status.REJECTED)

    def _cancel(self, line: Cancel) -> None:
        order = self._finish(line, Status.CANCELED)
        if line.orig_cl_ord_id:
            self._remember(line.by or order.session, line.cl_ord_id, order)

    def _expire(self, line: Expire) -> None:
        self._finish(line, Status.EXPIRED)

    def _refuse(self, line: CancelReject) -> None:
        if line.reason is not Refusal.DUPLICATE:
            order = self.find(line.session, line.orig_cl_ord_id, line.order_id)
            self._remember(line.session, line.cl_ord_id, order)

    def _renew(self, line: Renew) -> None:
        ticks = self.instruments[line.symbol].ticks(line.price)
        self._rest(Entry(line.order_id, line.symbol, line.side, ticks, line.qty, True))

    def _log_on(self, line: LogonLine) -> None:
        self.logged_on.add(line.session)

    def _log_out(self, line: LogoutLine) -> None:
        self.logged_on.discard(line.session)

    def _remember(self, session: str, cl_ord_id: str, order: Order | None) -> None:
        # Where ids may repeat the newest counts, but a request for nothing hides no order.
        if order is not None or cl_ord_id not in self._ids:
            self._ids[cl_ord_id] = order
        if self.profile.duplicate_check != "firm":
            self._session_ids[session, cl_ord_id] = order

    def _enter(self, line: Accept | Reject, status: Status) -> None:
        order = Order(
            line.session,
            line.cl_ord_id,
            line.order_id,
            line.symbol,
            line.side,
            line.type,
            line.limit,
            line.tif,
            line.qty,
            status,
            text=line.text,
        )
        self._remember(line.session, line.cl_ord_id, order)
        self.orders[line.order_id] = self.today[line.order_id] = order
        if not order.open:
            return
        self.open[line.order_id] = order
        if line.tif is TimeInForce.DAY and line.limit is not None:
            self._rest(self._entry(order))

    def _entry(self, order: Order) -> Entry:
        assert order.limit is not None  # noqa: S101 - only limit orders rest
        ticks = self.instruments[order.symbol].ticks(order.limit)
        return Entry(order.order_id, order.symbol, order.side, ticks, order.leaves_qty, False)

    def _rest(self, entry: Entry) -> None:
        self.entries[entry.order_id] = entry
        self.books[entry.symbol].side(entry.side).add(entry)

    def _pull(self, order_id: str) -> None:
        entry = self.entries.pop(order_id, None)
        if entry is not None:
            self.books[entry.symbol].side(entry.side).remove(entry)

    def _execute(self, line: Execution) -> None:
        if not line.maker:
            order = self.orders[line.order_id]
            order.cum_qty += line.qty
            order.notional += line.qty * line.price
            done = order.cum_qty == order.qty
            order.status = Status.FILLED if done else Status.PARTIALLY_FILLED
            if done:
                del self.open[line.order_id]
        entry = self.entries.get(line.order_id)
        if entry is not None:
            entry.leaves -= line.qty
            if not entry.leaves:
                self._pull(line.order_id)

    def _finish(self, line: Report, status: Status) -> Order:
        order = self.orders[line.order_id]
        order.status, order.text = status, line.text
        del self.open[line.order_id]
        self._pull(line.order_id)
        return order

    def _replace(self, line: Replace) -> None:
        order = self.orders[line.order_id]
        keeps = line.limit == order.limit and line.qty <= order.qty
        order.cl_ord_id, order.qty, order.limit = line.cl_ord_id, line.qty, line.limit
        order.session = line.session
        self._remember(line.session, line.cl_ord_id, order)
        if keeps:
            self.entries[line.order_id].leaves = order.leaves_qty
        else:
            self._pull(line.order_id)
            self._rest(self._entry(order))

    def _open_day(self, line: DayLine) -> None:
        self.seq, self.day, self.closes = line.seq, line.day, line.closes
        self.today = {}
        for entry in [entry for entry in self.entries.values() if entry.maker]:
            self._pull(entry.order_id)
        for symbol in line.closes:
            if symbol not in self.books:
                self.instruments[symbol] = instrument(symbol)
                self.books[symbol] = Book()
        self.quotes = line.quotes
        for symbol, quote in line.quotes.items():
            ticks = self.instruments[symbol].ticks
            for side, price in ((Side.BUY, quote.bid), (Side.SELL, quote.offer)):
                order_id = f"M{line.n}-{symbol}-{side}"
                self._rest(Entry(order_id, symbol, side, ticks(price), quote.qty, True))


_CHANGES: dict[type[Event], Callable[[State, Any], None]] = {
    Accept: State._accept,
    Reject: State._reject,
    Execution: State._execute,
    Cancel: State._cancel,
    Expire: State._expire,
    Replace: State._replace,
    CancelReject: State._refuse,
    DayLine: State._open_day,
    Renew: State._renew,
    LogonLine: State._log_on,
    LogoutLine: State._log_out,
}
"""What each kind of line changes; a start changes nothing."""
