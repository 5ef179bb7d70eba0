"""Between FIX 4.4 and our own words: reports in, requests out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from apps.core.fix import Pair, Received
from apps.core.messages import OrderType, Side, TimeInForce
from apps.core.records import ReportKind, ReportSeen
from apps.execution.oms import CANCEL
from apps.execution.order import Order

_KINDS = {"8": ReportKind.EXECUTION, "9": ReportKind.CANCEL_REJECT, "j": ReportKind.REJECT}
_SIDES = {"1": Side.BUY, "2": Side.SELL}
_SIDE_TAGS = {side: tag for tag, side in _SIDES.items()}
_TYPE_TAGS = {OrderType.MARKET: "1", OrderType.LIMIT: "2"}
_TIF_TAGS = {TimeInForce.DAY: "0", TimeInForce.IOC: "3", TimeInForce.FOK: "4"}
THROTTLED = ("0", "throttle")
"""BusinessRejectReason (380) and the first word of the text: FIX 4.4 has no reason for it."""
ORDER_CANCEL_REJECT_REASON = 102
ORD_REJ_REASON = 103
STATUS_REQUEST_ID = 790


class NotAReport(Exception):
    """A message that is about no order of ours, or that cannot be understood."""


def report(message: Received, *, venue: str, received_ns: int) -> ReportSeen:
    """Return what a message of the venue reports; raise `NotAReport` where it is none."""
    kind = _KINDS.get(message.msg_type)
    if kind is None:
        raise NotAReport(f"message of type {message.msg_type}")
    fields = message.fields()
    refused = fields.get(372, "") if kind is ReportKind.REJECT else ""
    order = fields.get(41) or fields.get(11) or _subject(refused, fields.get(379, ""))
    if not order:
        raise NotAReport(f"no order id in a message of type {message.msg_type}")
    reason = fields.get(ORDER_CANCEL_REJECT_REASON if message.msg_type == "9" else ORD_REJ_REASON)
    try:
        at_ns = _utc_ns(fields[60]) if 60 in fields else received_ns
        return ReportSeen(
            session=message.session,
            seq=message.seq,
            kind=kind,
            venue=venue,
            received_ns=received_ns,
            order=order,
            exec_id=fields.get(17, ""),
            exec_type=fields.get(150, ""),
            ord_status=fields.get(39, ""),
            day=_day(fields.get(75) or utc(at_ns)[:8]),
            symbol=fields.get(55, ""),
            side=_SIDES.get(fields.get(54, "")),
            qty=_shares(fields.get(38, "0")),
            cum_qty=_shares(fields.get(14, "0")),
            last_qty=_shares(fields.get(32, "0")),
            last_px=Decimal(fields.get(31, "0")),
            reason_code=int(reason) if reason else None,
            text=_printable(fields.get(58, "")),
            at_ns=at_ns,
            asked=_asked(fields.get(STATUS_REQUEST_ID, "")),
            refused=refused,
            throttled=bool(refused) and _is_throttle(fields),
        )
    except (ValueError, InvalidOperation) as fault:
        raise NotAReport(f"order {order}: {fault}") from fault


def _subject(refused: str, request: str) -> str:
    """Return the order that a refused request was about: a cancel bears an id of its own."""
    return request.rpartition(CANCEL)[0] if refused == "F" else request


def _is_throttle(fields: dict[int, str]) -> bool:
    reason, word = THROTTLED
    return fields.get(380) == reason and fields.get(58, "").lower().startswith(word)


def new_order(order: Order, at_ns: int) -> list[Pair]:
    """Return the body of the NewOrderSingle of a journaled order."""
    intent = order.intent
    if intent is None:
        raise ValueError(f"{order.id} was first seen at the venue and is not ours to enter")
    body = [
        (11, order.id),
        (21, "1"),
        (38, str(order.qty)),
        (40, _TYPE_TAGS[intent.order_type]),
        (54, _SIDE_TAGS[order.side]),
        (55, order.symbol),
        (59, _TIF_TAGS[intent.tif]),
        (60, utc(at_ns)),
    ]
    return body if intent.limit is None else [*body, (44, format(intent.limit, "f"))]


def cancel(order: Order, cancel_id: str, at_ns: int) -> list[Pair]:
    """Return the body of an OrderCancelRequest."""
    return [
        (11, cancel_id),
        (38, str(order.qty)),
        (41, order.id),
        (54, _SIDE_TAGS[order.side]),
        (55, order.symbol),
        (60, utc(at_ns)),
    ]


def status(order: Order) -> list[Pair]:
    """Return the body of an OrderStatusRequest.

    Its id says how often the order was entered so far: an answer that was overtaken by
    another entry says nothing of that one.
    """
    return [
        (11, order.id),
        (54, _SIDE_TAGS[order.side]),
        (55, order.symbol),
        (STATUS_REQUEST_ID, f"{order.id}.s{order.sent}"),
    ]


def _asked(request_id: str) -> int:
    entries = request_id.rpartition(".s")[2]
    return int(entries) if entries.isdecimal() else 0


def utc(at_ns: int) -> str:
    """Return a FIX UTCTimestamp in microseconds."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{_written(seconds)}.{rest_ns // 1_000:06d}"


@lru_cache(maxsize=8)
def _written(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d-%H:%M:%S}"


def _utc_ns(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return _second(whole) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)


@lru_cache(maxsize=8)
def _second(whole: str) -> int:
    """Return the POSIX time of a UTCTimestamp without its fraction."""
    if len(whole) != 17 or (whole[8], whole[11], whole[14]) != ("-", ":", ":"):
        raise ValueError(f"UTCTimestamp {whole!r}")
    year, month, day = int(whole[:4]), int(whole[4:6]), int(whole[6:8])
    clock = int(whole[9:11]), int(whole[12:14]), int(whole[15:])
    return int(datetime(year, month, day, *clock, tzinfo=UTC).timestamp())


def _day(text: str) -> str:
    if len(text) != 8 or not text.isdigit():
        raise ValueError(f"TradeDate {text!r}")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _shares(text: str) -> int:
    if text.isdecimal():
        return int(text)
    value = Decimal(text)
    if value != value.to_integral_value():
        raise ValueError(f"{text} is not a whole number of shares")
    return int(value)
