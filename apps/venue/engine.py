"""The matching engine: (state, command) -> lines, with no clock, no socket, no file.

Rules, besides price-time priority:

- A market order never rests, nor does IOC or FOK: what does not trade at once is canceled.
- FOK trades whole or not at all.
- The firm never trades with itself: an order that meets one of the firm's own trades with
  what stands before it, and its rest is canceled; the resting order stays as it was.
- A replace keeps its priority only where it reduces the quantity at the same price; from
  another session it takes the order over.
- At the end of a day the market maker's new quotes trade with the day orders that they
  reach, at the price of the resting order; the rest expires.
- A side of the market maker's quote that is used up is renewed as soon as the order that
  used it up is done: at its price, or one tick behind what of that order then rests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue import faults
from apps.venue.book import Entry, Ladder, reaches
from apps.venue.commands import (
    CancelOrder,
    Command,
    Enter,
    OpenDay,
    ReplaceOrder,
    SessionDown,
    SessionUp,
)
from apps.venue.faults import Fault
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
    Refusal,
    Reject,
    Renew,
    Replace,
    Status,
)
from apps.venue.state import Order, State

NO_ORDER = "NONE"
MAKER = "MAKER"
"""The market maker's session, and its order where a quote trades before it is in the book."""
SELF_MATCH = "would trade with an order of the same firm"


def decide(state: State, command: Command, at_ns: int) -> list[Event]:
    """Return what follows from a command at a time; the state is left as it is."""
    step = _Step(state, at_ns)
    match command:
        case Enter():
            step.enter(command)
        case CancelOrder():
            step.cancel(command)
        case ReplaceOrder():
            step.replace(command)
        case OpenDay():
            step.open_day(command)
        case SessionUp():
            if command.session not in state.logged_on:
                step.add(LogonLine, session=command.session)
        case SessionDown():
            if command.session in state.logged_on:
                step.disconnect(command.session)
    return step.lines


class _Step:
    """The lines of one command, as they come.

    It works on copies of the orders it touches, so that what it decides stands in its
    lines alone.
    """

    def __init__(self, state: State, at_ns: int) -> None:
        self.state = state
        self.at_ns = at_ns
        self.lines: list[Event] = []

    def add(self, kind: Callable[..., Event], **fields: Any) -> None:
        """Append the next line."""
        n = self.state.next_n + len(self.lines)
        self.lines.append(kind(n=n, at_ns=self.at_ns, **fields))

    def _report(self, kind: Callable[..., Event], order: Order, **fields: Any) -> None:
        n = self.state.next_n + len(self.lines)
        self.lines.append(
            kind(
                n=n,
                at_ns=self.at_ns,
                exec_id=f"E{n}",
                day=self.state.day,
                session=order.session,
                cl_ord_id=fields.pop("cl_ord_id", order.cl_ord_id),
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                type=order.type,
                limit=order.limit,
                tif=order.tif,
                qty=fields.pop("qty", order.qty),
                cum_qty=order.cum_qty,
                leaves_qty=order.leaves_qty,
                avg_px=order.avg_px,
                text=order.text,
                **fields,
            )
        )

    # Requests

    def enter(self, command: Enter) -> None:
        fault = faults.entry(self.state, command)
        duplicate = fault is not None and fault[0] is Refusal.DUPLICATE
        order = Order(
            session=command.session,
            cl_ord_id=command.cl_ord_id,
            order_id=NO_ORDER if duplicate else f"O{self.state.next_n}",
            symbol=command.symbol,
            side=command.side,
            type=command.type,
            limit=command.limit,
            tif=command.tif,
            qty=command.qty,
            status=Status.NEW,
        )
        if fault is not None:
            order.status, order.text = Status.REJECTED, fault[1]
            self._report(Reject, order, reason=fault[0])
            return
        self._report(Accept, order)
        self._trade(order)

    def cancel(self, command: CancelOrder) -> None:
        order, fault = faults.request(self.state, command)
        if order is None or fault is not None:
            self._refuse(command, order, fault)
            return
        order = dataclasses.replace(order, status=Status.CANCELED, text="")
        self._report(
            Cancel,
            order,
            cl_ord_id=command.cl_ord_id,
            orig_cl_ord_id=order.cl_ord_id,
            by=command.session if command.session != order.session else "",
        )

    def replace(self, command: ReplaceOrder) -> None:
        order, fault = faults.request(self.state, command)
        if order is not None and fault is None:
            fault = faults.replacement(self.state, command, order)
        if order is None or fault is not None:
            self._refuse(command, order, fault)
            return
        replaced = dataclasses.replace(
            order,
            session=command.session,
            cl_ord_id=command.cl_ord_id,
            qty=command.qty,
            limit=command.limit,
        )
        self._report(
            Replace,
            replaced,
            orig_cl_ord_id=order.cl_ord_id,
            by=order.session if order.session != command.session else "",
        )
        if command.limit != order.limit:
            self._trade(replaced)

    def disconnect(self, session: str) -> None:
        """The session is gone: under cancel-on-disconnect its orders go too."""
        self.add(LogoutLine, session=session)
        if self.state.profile.on_disconnect == "cancel":
            for order in self.state.open.values():
                if order.session == session:
                    self._cancel(dataclasses.replace(order), "session disconnected")

    def open_day(self, command: OpenDay) -> None:
        """End the day (last trades, then expiry), and open the next one."""
        touched: dict[str, Order] = {}
        for symbol, quote in command.quotes.items():
            if symbol in self.state.books:
                ticks = self.state.instruments[symbol].ticks
                for side, price in ((Side.BUY, quote.bid), (Side.SELL, quote.offer)):
                    self._sweep(touched, symbol, side, ticks(price), quote.qty)
        for order in self.state.open.values():
            rest = touched.get(order.order_id) or order
            if rest.open:
                ended = dataclasses.replace(rest, status=Status.EXPIRED, text="end of day")
                self._report(Expire, ended)
        self.add(
            DayLine,
            seq=command.seq,
            day=command.day,
            closes=command.closes,
            quotes=command.quotes,
        )

    def _refuse(
        self, command: CancelOrder | ReplaceOrder, order: Order | None, fault: Fault
    ) -> None:
        assert fault is not None  # noqa: S101 - no order and no fault cannot be
        self.add(
            CancelReject,
            session=command.session,
            cl_ord_id=command.cl_ord_id,
            orig_cl_ord_id=command.orig_cl_ord_id,
            order_id=order.order_id if order else NO_ORDER,
            status=order.status if order else Status.REJECTED,
            replace=isinstance(command, ReplaceOrder),
            reason=fault[0],
            text=fault[1],
        )

    # Trading

    def _trade(self, order: Order) -> None:
        """Match an order that was just accepted or replaced; cancel what may not rest."""
        book = self.state.books[order.symbol]
        instrument = self.state.instruments[order.symbol]
        limit = None if order.limit is None else instrument.ticks(order.limit)
        fills, met_own = match_against(
            book.against(order.side), order.side, limit, order.qty - order.cum_qty
        )
        if order.tif is TimeInForce.FOK and sum(qty for _, qty in fills) < order.leaves_qty:
            self._cancel(order, SELF_MATCH if met_own else "not fillable as a whole")
            return
        for entry, qty in fills:
            price = entry.ticks * instrument.tick
            self._execute(order, qty, price)
            self._execute_maker(order, entry.order_id, qty, price, entry.leaves - qty)
        if order.leaves_qty:
            if met_own:
                self._cancel(order, SELF_MATCH)
            elif order.type is OrderType.MARKET:
                self._cancel(order, "nothing left to trade with")
            elif order.tif is not TimeInForce.DAY:
                self._cancel(order, "immediate or cancel")
        for entry, qty in fills:
            if qty == entry.leaves:
                self._renew(entry, limit if order.leaves_qty else None)

    def _sweep(
        self, touched: dict[str, Order], symbol: str, side: Side, limit: int, qty: int
    ) -> None:
        """Let a new quote of the market maker trade with the day orders that it reaches."""
        ladder = self.state.books[symbol].against(side)
        tick = self.state.instruments[symbol].tick
        fills, _ = match_against(ladder, side, limit, qty, maker=True)
        for entry, traded in fills:
            order = dataclasses.replace(self.state.orders[entry.order_id])
            touched[order.order_id] = order
            qty -= traded
            self._execute(order, traded, entry.ticks * tick)
            self._execute_maker(order, MAKER, traded, entry.ticks * tick, qty)

    def _execute(self, order: Order, qty: int, price: Decimal) -> None:
        order.cum_qty += qty
        order.notional += qty * price
        done = order.cum_qty == order.qty
        order.status = Status.FILLED if done else Status.PARTIALLY_FILLED
        self._report(
            Execution,
            order,
            qty=qty,
            price=price,
            order_qty=order.qty,
            trade_id=f"T{self.state.next_n + len(self.lines)}",
        )

    def _execute_maker(
        self, taken_by: Order, order_id: str, qty: int, price: Decimal, leaves: int
    ) -> None:
        trade = f"T{self.state.next_n + len(self.lines) - 1}"
        maker = Order(
            session=MAKER,
            cl_ord_id=order_id,
            order_id=order_id,
            symbol=taken_by.symbol,
            side=Side.SELL if taken_by.side is Side.BUY else Side.BUY,
            type=OrderType.LIMIT,
            limit=price,
            tif=TimeInForce.DAY,
            qty=qty + leaves,
            status=Status.PARTIALLY_FILLED if leaves else Status.FILLED,
            cum_qty=qty,
            notional=qty * price,
        )
        self._report(
            Execution,
            maker,
            qty=qty,
            price=price,
            order_qty=maker.qty,
            trade_id=trade,
            maker=True,
        )

    def _renew(self, used_up: Entry, resting: int | None) -> None:
        """Quote again what was used up; `resting` is the limit of the order that now rests."""
        ticks = used_up.ticks
        if resting is not None:
            ticks = resting + 1 if used_up.side is Side.SELL else resting - 1
        if ticks < 1:
            return
        n = self.state.next_n + len(self.lines)
        self.add(
            Renew,
            order_id=f"M{n}-{used_up.symbol}-{used_up.side.value}",
            symbol=used_up.symbol,
            side=used_up.side,
            price=ticks * self.state.instruments[used_up.symbol].tick,
            qty=self.state.quotes[used_up.symbol].qty,
        )

    def _cancel(self, order: Order, why: str) -> None:
        order.status, order.text = Status.CANCELED, why
        self._report(Cancel, order)


def match_against(
    ladder: Ladder, side: Side, limit: int | None, qty: int, *, maker: bool = False
) -> tuple[list[tuple[Entry, int]], bool]:
    """Return what an order trades with, in priority order, and whether it met its own firm.

    With `maker` the order is the market maker's, and its own former quotes do not count.
    """
    fills: list[tuple[Entry, int]] = []
    for entry in ladder.entries():
        if not qty or not reaches(side, limit, entry.ticks):
            break
        if maker and entry.maker:
            continue
        if not maker and not entry.maker:
            return fills, True
        traded = min(qty, entry.leaves)
        fills.append((entry, traded))
        qty -= traded
    return fills, False
