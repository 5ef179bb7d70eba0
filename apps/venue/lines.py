"""The events of the venue, which are the lines of its record.

What the engine decides, it says in these; the state is built by applying them, live and
after a restart alike; a FIX report is made from one line alone. Prices are Decimal and
written as text, quantities are whole shares, times UTC nanoseconds. `n` numbers the lines
of a record from 1 without gaps; order and execution ids are made from it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from apps.core.messages import OrderType, Side, TimeInForce


class Status(StrEnum):
    """The state of an order at the venue (FIX 39)."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Refusal(StrEnum):
    """Why an order or a request is refused."""

    CLOSED = "closed"
    UNKNOWN_SYMBOL = "unknown_symbol"
    DUPLICATE = "duplicate"
    QUANTITY = "quantity"
    PRICE = "price"
    UNSUPPORTED = "unsupported"
    UNKNOWN_ORDER = "unknown_order"
    TOO_LATE = "too_late"
    OTHER_SESSION = "other_session"
    MALFORMED = "malformed"


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every line carries."""

    n: int
    at_ns: int


class Start(Line, frozen=True, kw_only=True, tag="start"):
    """The venue started with these promises."""

    venue: str
    profile: dict[str, str | bool]
    tape: str
    seed: int


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A two-sided quote of the public market maker; `qty` shares on each side."""

    bid: Decimal
    offer: Decimal
    qty: int


class DayLine(Line, frozen=True, kw_only=True, tag="day"):
    """A trading day opened: its closes as replayed, and what the market maker quotes."""

    seq: int
    day: str
    closes: dict[str, str]
    quotes: dict[str, Quote]


class Renew(Line, frozen=True, kw_only=True, tag="quote"):
    """The market maker renewed a side of its quote that was used up."""

    order_id: str
    symbol: str
    side: Side
    price: Decimal
    qty: int


class LogonLine(Line, frozen=True, kw_only=True, tag="logon"):
    """A session logged on."""

    session: str


class LogoutLine(Line, frozen=True, kw_only=True, tag="logout"):
    """A session logged out, was cut, or was found cut when the venue started."""

    session: str


class Report(Line, frozen=True, kw_only=True):
    """An event of one order, as its execution report tells it.

    `session` owns the order; `by` is the other session that asked for this, or "".
    `limit` is None for a market order. `exec_id` never repeats within a record.
    """

    exec_id: str
    day: str
    session: str
    cl_ord_id: str
    order_id: str
    symbol: str
    side: Side
    type: OrderType
    limit: Decimal | None
    tif: TimeInForce
    qty: int
    cum_qty: int = 0
    leaves_qty: int = 0
    avg_px: Decimal = Decimal(0)
    by: str = ""
    text: str = ""


class Accept(Report, frozen=True, kw_only=True, tag="accept"):
    """An order was accepted; `qty` is its quantity."""


class Reject(Report, frozen=True, kw_only=True, tag="reject"):
    """An order was refused; a duplicate leaves the order that holds the ClOrdID as it is."""

    reason: Refusal


class Execution(Report, frozen=True, kw_only=True, tag="execution"):
    """An order traded `qty` shares at `price`; its whole quantity is `order_qty`.

    Every trade leaves two lines with one `trade_id`: the firm's, and the market maker's,
    which bears `maker`.
    """

    price: Decimal
    order_qty: int
    trade_id: str
    maker: bool = False


class Cancel(Report, frozen=True, kw_only=True, tag="cancel"):
    """An order's rest was canceled; `orig_cl_ord_id` is set where a request asked for it."""

    orig_cl_ord_id: str = ""


class Replace(Report, frozen=True, kw_only=True, tag="replace"):
    """An order was replaced: it now bears `cl_ord_id`, `qty` and `limit`."""

    orig_cl_ord_id: str


class Expire(Report, frozen=True, kw_only=True, tag="expire"):
    """An order's rest expired at the end of its trading day."""


class CancelReject(Line, frozen=True, kw_only=True, tag="cancel_reject"):
    """A cancel or replace request was refused (FIX 9); `status` is the order's."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str
    status: Status
    replace: bool
    reason: Refusal
    text: str = ""


Event = (
    Start
    | DayLine
    | Renew
    | LogonLine
    | LogoutLine
    | Accept
    | Reject
    | Execution
    | Cancel
    | Replace
    | Expire
    | CancelReject
)
