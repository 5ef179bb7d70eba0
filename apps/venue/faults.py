"""What is wrong with a request, by the venue's state: pure."""

from __future__ import annotations

from decimal import Decimal

from apps.venue.commands import CancelOrder, Enter, ReplaceOrder
from apps.venue.lines import Refusal
from apps.venue.state import Order, State

Fault = tuple[Refusal, str] | None


def entry(state: State, command: Enter) -> Fault:
    """Return why an order is refused; None where it is accepted."""
    if state.known(command.session, command.cl_ord_id):
        return Refusal.DUPLICATE, f"ClOrdID {command.cl_ord_id} was used before"
    if command.fault is not None:
        return command.fault, command.text
    if not state.day:
        return Refusal.CLOSED, "no trading day is open"
    if command.symbol not in state.books:
        return Refusal.UNKNOWN_SYMBOL, f"{command.symbol} is not listed"
    if command.qty <= 0:
        return Refusal.QUANTITY, f"quantity {command.qty} is not positive"
    if command.limit is not None:
        return _price(state, command.symbol, command.limit)
    return None


def request(state: State, command: CancelOrder | ReplaceOrder) -> tuple[Order | None, Fault]:
    """Return the order that a request is about, and why it cannot be done with it."""
    order = state.find(command.session, command.orig_cl_ord_id, command.order_id)
    if state.known(command.session, command.cl_ord_id):
        return order, (
            Refusal.DUPLICATE,
            f"ClOrdID {command.cl_ord_id} was used before",
        )
    if order is None:
        return None, (Refusal.UNKNOWN_ORDER, f"no order {command.orig_cl_ord_id}")
    if command.session != order.session and not state.profile.cross_session_cancel:
        return order, (Refusal.OTHER_SESSION, "the order is another session's")
    if not order.open:
        return order, (Refusal.TOO_LATE, f"the order is {order.status.value}")
    return order, None


def replacement(state: State, command: ReplaceOrder, order: Order) -> Fault:
    """Return why an open order cannot become what a replace asks for."""
    if command.fault is not None:
        return command.fault, command.text
    if (command.symbol, command.side) != (order.symbol, order.side):
        return Refusal.MALFORMED, "a replace cannot change symbol or side"
    if command.qty <= order.cum_qty:
        return Refusal.QUANTITY, f"{order.cum_qty} shares have traded already"
    if command.limit is None:
        return Refusal.PRICE, "a replace needs a limit price"
    return _price(state, order.symbol, command.limit)


def _price(state: State, symbol: str, limit: Decimal) -> Fault:
    if limit <= 0:
        return Refusal.PRICE, f"price {limit} is not positive"
    try:
        state.instruments[symbol].ticks(limit)
    except ValueError as fault:
        return Refusal.PRICE, str(fault)
    return None
