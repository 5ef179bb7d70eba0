"""Orders on FIX 4.4: requests in as commands, lines of the record out as reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from apps.core.fix import Pair, Received, Tag
from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue.commands import CancelOrder, Enter, ReplaceOrder
from apps.venue.lines import (
    Accept,
    Cancel,
    CancelReject,
    Event,
    Execution,
    Expire,
    Refusal,
    Reject,
    Replace,
    Report,
    Status,
)
from apps.venue.state import Order

_SIDES = {"1": Side.BUY, "2": Side.SELL}
_TYPES = {"1": OrderType.MARKET, "2": OrderType.LIMIT}
_TIFS = {"0": TimeInForce.DAY, "3": TimeInForce.IOC, "4": TimeInForce.FOK}
SIDE_TAGS = {side: tag for tag, side in _SIDES.items()}
_TYPE_TAGS = {kind: tag for tag, kind in _TYPES.items()}
_TIF_TAGS = {tif: tag for tag, tif in _TIFS.items()}
_STATUS_TAGS = {
    Status.NEW: "0",
    Status.PARTIALLY_FILLED: "1",
    Status.FILLED: "2",
    Status.CANCELED: "4",
    Status.REJECTED: "8",
    Status.EXPIRED: "C",
}
_EXEC_TYPES: dict[type[Report], str] = {
    Accept: "0",
    Reject: "8",
    Execution: "F",
    Cancel: "4",
    Replace: "5",
    Expire: "C",
}
_ORD_REJ_REASONS = {
    Refusal.UNKNOWN_SYMBOL: "1",
    Refusal.CLOSED: "2",
    Refusal.DUPLICATE: "6",
    Refusal.UNSUPPORTED: "11",
    Refusal.QUANTITY: "13",
}
_CXL_REJ_REASONS = {Refusal.TOO_LATE: "0", Refusal.UNKNOWN_ORDER: "1", Refusal.DUPLICATE: "6"}
_OTHER = "99"
_UNKNOWN_ORDER = "5"
THROTTLE = "throttle"

Fields = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Terms:
    """What an order asks for, and why it cannot be had where it cannot."""

    side: Side
    type: OrderType
    tif: TimeInForce
    qty: int
    limit: Decimal | None
    fault: Refusal | None
    text: str


def enter(message: Received) -> Enter:
    """Return the command of a NewOrderSingle; one that makes no sense carries its fault."""
    fields = message.fields()
    terms = _terms(fields)
    return Enter(
        session=message.session,
        cl_ord_id=fields.get(11, ""),
        symbol=fields.get(55, ""),
        side=terms.side,
        qty=terms.qty,
        type=terms.type,
        limit=terms.limit,
        tif=terms.tif,
        fault=terms.fault,
        text=terms.text,
    )


def cancel(message: Received) -> CancelOrder:
    """Return the command of an OrderCancelRequest."""
    fields = message.fields()
    return CancelOrder(message.session, fields.get(11, ""), fields.get(41, ""), fields.get(37, ""))


def replace(message: Received) -> ReplaceOrder:
    """Return the command of an OrderCancelReplaceRequest."""
    fields = message.fields()
    terms = _terms(fields)
    return ReplaceOrder(
        session=message.session,
        cl_ord_id=fields.get(11, ""),
        orig_cl_ord_id=fields.get(41, ""),
        symbol=fields.get(55, ""),
        side=terms.side,
        qty=terms.qty,
        limit=terms.limit,
        order_id=fields.get(37, ""),
        fault=terms.fault,
        text=terms.text,
    )


def _terms(fields: Fields) -> _Terms:
    fault: Refusal | None = None
    text = ""
    kind = _TYPES.get(fields.get(40, ""))
    tif = _TIFS.get(fields.get(59, "0"))
    side = _SIDES.get(fields.get(54, ""))
    qty, limit = _number(fields.get(38, "")), _number(fields[44]) if 44 in fields else None
    if kind is None or tif is None or side is None:
        fault = Refusal.UNSUPPORTED
        text = "this venue takes buy and sell, market and limit, day, IOC and FOK"
    elif qty is None or qty != int(qty):
        fault, text = Refusal.QUANTITY, "a quantity is a whole number of shares"
    elif (kind is OrderType.LIMIT) != (limit is not None):
        fault, text = Refusal.PRICE, "a limit order has a price, a market order has none"
    return _Terms(
        side=side or Side.SELL,
        type=kind or OrderType.LIMIT,
        tif=tif or TimeInForce.DAY,
        qty=int(qty or 0),
        limit=limit,
        fault=fault,
        text=text,
    )


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def audience(line: Event, drop_copies: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sessions that hear of a line: its own, and every drop copy of a report."""
    if isinstance(line, CancelReject):
        return (line.session,)
    if not isinstance(line, Report) or (isinstance(line, Execution) and line.maker):
        return ()
    return (line.session, *((line.by,) if line.by else ()), *drop_copies)


def message(line: Event, *, resent: bool = False) -> tuple[str, list[Pair]]:
    """Return type and body of the message that tells of a line with an audience.

    `resent` marks one that may have been told before (PossResend).
    """
    head: list[Pair] = [(97, "Y")] if resent else []
    if isinstance(line, CancelReject):
        return "9", head + _cancel_reject(line)
    if isinstance(line, Report):
        return "8", head + _execution_report(line)
    raise TypeError(f"nobody hears of a {type(line).__name__}")


def _execution_report(line: Report) -> list[Pair]:
    pairs: list[Pair] = [
        (37, line.order_id),
        (11, line.cl_ord_id),
        (17, line.exec_id),
        (150, _EXEC_TYPES[type(line)]),
        (39, _status(line)),
        (55, line.symbol),
        (54, SIDE_TAGS[line.side]),
        (38, str(line.order_qty if isinstance(line, Execution) else line.qty)),
        (40, _TYPE_TAGS[line.type]),
        (59, _TIF_TAGS[line.tif]),
        (151, str(line.leaves_qty)),
        (14, str(line.cum_qty)),
        (6, format(line.avg_px, "f")),
        (60, timestamp(line.at_ns)),
        (75, line.day.replace("-", "")),
    ]
    if line.limit is not None:
        pairs.append((44, format(line.limit, "f")))
    if isinstance(line, Execution):
        pairs += [(32, str(line.qty)), (31, format(line.price, "f")), (527, line.trade_id)]
    elif isinstance(line, Reject):
        pairs.append((103, _ORD_REJ_REASONS.get(line.reason, _OTHER)))
    elif isinstance(line, Cancel | Replace) and line.orig_cl_ord_id:
        pairs.append((41, line.orig_cl_ord_id))
    if line.text:
        pairs.append((58, line.text))
    pairs.append((Tag.RECORD, str(line.n)))
    return pairs


def _status(line: Report) -> str:
    match line:
        case Execution():
            return "1" if line.leaves_qty else "2"
        case Replace():
            return "1" if line.cum_qty else "0"
        case _:
            return _EXEC_TYPES[type(line)]


def _cancel_reject(line: CancelReject) -> list[Pair]:
    return [
        (37, line.order_id),
        (11, line.cl_ord_id),
        (41, line.orig_cl_ord_id),
        (39, _STATUS_TAGS[line.status]),
        (434, "2" if line.replace else "1"),
        (102, _CXL_REJ_REASONS.get(line.reason, _OTHER)),
        (58, line.text),
        (60, timestamp(line.at_ns)),
        (Tag.RECORD, str(line.n)),
    ]


def status(
    order: Order | None, asked: Received, *, exec_id: str, day: str, at_ns: int
) -> list[Pair]:
    """Return the ExecutionReport (150=I) that answers a status request.

    It tells the state and is no event: it is not recorded, and its ExecID counts for nothing.
    """
    fields = asked.fields()
    pairs: list[Pair] = [(17, exec_id), (150, "I"), (60, timestamp(at_ns))]
    pairs += _known(order, fields) if order else _unknown(fields)
    if day:
        pairs.append((75, day.replace("-", "")))
    pairs += [(tag, fields[tag]) for tag in (790, 584) if tag in fields]
    return pairs


def _known(order: Order, fields: Fields) -> list[Pair]:
    asked = fields.get(11, order.cl_ord_id)
    pairs: list[Pair] = [
        (37, order.order_id),
        (11, order.cl_ord_id),
        (39, _STATUS_TAGS[order.status]),
        (55, order.symbol),
        (54, SIDE_TAGS[order.side]),
        (38, str(order.qty)),
        (40, _TYPE_TAGS[order.type]),
        (59, _TIF_TAGS[order.tif]),
        (151, str(order.leaves_qty)),
        (14, str(order.cum_qty)),
        (6, format(order.avg_px, "f")),
    ]
    if asked != order.cl_ord_id:
        pairs.append((41, asked))
    if order.limit is not None:
        pairs.append((44, format(order.limit, "f")))
    if order.text:
        pairs.append((58, order.text))
    return pairs


def _unknown(fields: Fields) -> list[Pair]:
    return [
        (37, "NONE"),
        (11, fields.get(11, "NONE")),
        (39, "8"),
        (103, _UNKNOWN_ORDER),
        (55, fields.get(55, "[N/A]")),
        (54, fields.get(54, "1")),
        (38, "0"),
        (151, "0"),
        (14, "0"),
        (6, "0"),
        (58, "unknown order"),
    ]


def refusal(message: Received, reason: str, text: str) -> list[Pair]:
    """Return the BusinessMessageReject of a message; `reason` is FIX 380."""
    fields = message.fields()
    pairs = [(45, str(message.seq)), (372, message.msg_type), (380, reason), (58, text)]
    subject = fields.get(11) or fields.get(584) or fields.get(262)
    return [*pairs, (379, subject)] if subject else pairs


def throttled(message: Received, max_requests_per_s: int) -> list[Pair]:
    """Return the BusinessMessageReject of a request beyond the throttle.

    FIX 4.4 has no reason of its own for it (5.0 has 8): the text begins with "throttle".
    """
    text = f"{THROTTLE}: more than {max_requests_per_s} requests a second; nothing was done"
    return refusal(message, "0", text)


def timestamp(at_ns: int) -> str:
    """Return UTC nanoseconds as a FIX UTCTimestamp in microseconds."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest_ns // 1_000:06d}"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d-%H:%M:%S}"
