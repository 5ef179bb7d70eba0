"""What the venue is asked to do: the engine's inputs, already understood."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue.lines import Quote, Refusal


@dataclass(frozen=True, slots=True)
class Enter:
    """NewOrderSingle."""

    session: str
    cl_ord_id: str
    symbol: str
    side: Side
    qty: int
    type: OrderType
    limit: Decimal | None
    tif: TimeInForce
    fault: Refusal | None = None
    """Set where the message could not be understood; `text` says why."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """OrderCancelRequest; without a ClOrdID to find, `order_id` names the order."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """OrderCancelReplaceRequest: the order's new quantity and limit."""

    session: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side
    qty: int
    limit: Decimal | None
    order_id: str = ""
    fault: Refusal | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class OpenDay:
    """The tape moved on: end the trading day, open the next with these quotes."""

    seq: int
    day: str
    closes: dict[str, str]
    quotes: dict[str, Quote]


@dataclass(frozen=True, slots=True)
class SessionUp:
    """A session logged on."""

    session: str


@dataclass(frozen=True, slots=True)
class SessionDown:
    """A session is gone."""

    session: str


Command = Enter | CancelOrder | ReplaceOrder | OpenDay | SessionUp | SessionDown
