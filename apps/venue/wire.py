"""The venue's messages on FIX 4.4: what comes in as commands, what goes out as reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from apps.core.fix import Pair, Received, Tag
from apps.core.messages import OrderType, Side, TimeInForce
from apps.core.prices import Day
from apps.venue.book import Order
from apps.venue.engine import Cancel, NewOrder, Replace, Row

NUMBER = re.compile(r"-?\d+(\.\d+)?")
SIDES = {"1": Side.BUY, "2": Side.SELL}
SIDE_TAGS = {side: tag for tag, side in SIDES.items()}
TYPES = {"1": OrderType.MARKET, "2": OrderType.LIMIT}
TIFS = {"0": TimeInForce.DAY, "3": TimeInForce.IOC, "4": TimeInForce.FOK}
EXEC_TYPES = {
    "accept": "0",
    "reject": "8",
    "execution": "F",
    "cancel": "4",
    "expire": "C",
    "replace": "5",
}
"""ExecType (150) of every event that is reported."""


class Unreadable(Exception):
    """A request that cannot be a command: the words go back in a BusinessMessageReject."""


def new_order(message: Received) -> NewOrder:
    """Return the command of a NewOrderSingle."""
    fields = message.fields()
    try:
        return NewOrder(
            session=message.session,
            cl_ord_id=fields[11],
            symbol=fields[55],
            side=SIDES[fields[54]],
            qty=_shares(fields[38]),
            order_type=TYPES[fields[40]],
            limit=Decimal(fields[44]) if 44 in fields else None,
            tif=TIFS[fields.get(59, "0")],
        )
    except (KeyError, InvalidOperation) as fault:
        raise Unreadable(f"not an order of this venue: {fault}") from fault


def cancel(message: Received) -> Cancel:
    """Return the command of an OrderCancelRequest."""
    fields = message.fields()
    try:
        return Cancel(session=message.session, cl_ord_id=fields[11], orig=fields[41])
    except KeyError as fault:
        raise Unreadable(f"not a cancel request of this venue: {fault}") from fault


def replace(message: Received) -> Replace:
    """Return the command of an OrderCancelReplaceRequest."""
    fields = message.fields()
    try:
        return Replace(
            session=message.session,
            cl_ord_id=fields[11],
            orig=fields[41],
            qty=_shares(fields[38]),
            limit=Decimal(fields[44]) if 44 in fields else None,
        )
    except (KeyError, InvalidOperation) as fault:
        raise Unreadable(f"not a replace request of this venue: {fault}") from fault


def _shares(raw: str) -> int:
    shares = Decimal(raw)
    if shares != shares.to_integral_value():
        raise InvalidOperation(f"{raw} is no whole number of shares")
    return int(shares)


def report(row: Row, at_ns: int) -> tuple[str, list[Pair]] | None:
    """Return the message that tells the firm of a recorded event; None for the others."""
    if row["kind"] == "cancel_reject":
        return "9", [
            (37, row["order_id"]),
            (11, row["cl_ord_id"]),
            (41, row["orig"]),
            (39, row["status"]),
            (434, row["response_to"]),
            (102, str(row["reason"])),
            (58, row["text"]),
            (60, timestamp(at_ns)),
        ]
    if row["kind"] not in EXEC_TYPES:
        return None
    rejected = row["kind"] == "reject"
    pairs: list[Pair] = [
        (37, row["order_id"]),
        (11, row["cl_ord_id"]),
        (17, row["exec_id"]),
        (150, EXEC_TYPES[row["kind"]]),
        (39, "8" if rejected else row["status"]),
        (55, row["symbol"]),
        (54, SIDE_TAGS[Side(row["side"])]),
        (38, str(row.get("order_qty", row["qty"]))),
        (151, str(row.get("leaves_qty", 0))),
        (14, str(row.get("cum_qty", 0))),
        (6, row.get("avg_px", "0")),
        (60, timestamp(at_ns)),
        (75, row["day"].replace("-", "")),
    ]
    if row["kind"] == "execution":
        pairs += [(32, str(row["qty"])), (31, row["price"])]
    if "orig" in row and row["orig"] != row["cl_ord_id"]:
        pairs.append((41, row["orig"]))
    if rejected:
        pairs.append((103, str(row["reason"])))
    if row.get("text"):
        pairs.append((58, row["text"]))
    return "8", pairs


def status(
    order: Order | None,
    *,
    average: Decimal,
    exec_id: str,
    day: str,
    at_ns: int,
    asked: Received,
    last: bool = True,
) -> list[Pair]:
    """Return the ExecutionReport (150=I) that answers a status request; it is no event."""
    fields = asked.fields()
    pairs: list[Pair] = [
        (37, order.order_id if order else "NONE"),
        (11, order.cl_ord_id if order else fields.get(11, "NONE")),
        (17, exec_id),
        (150, "I"),
        (39, order.status if order else "8"),
        (54, SIDE_TAGS[order.side] if order else fields.get(54, "1")),
        (151, str(order.leaves if order else 0)),
        (14, str(order.cum if order else 0)),
        (6, str(average)),
        (60, timestamp(at_ns)),
        (75, day.replace("-", "")),
    ]
    if order:
        pairs += [(55, order.symbol), (38, str(order.qty))]
    else:
        pairs += [(103, "5"), (58, "unknown order")]
    if 790 in fields:
        pairs.append((790, fields[790]))
    if 584 in fields:
        pairs += [(584, fields[584]), (912, "Y" if last else "N")]
    return pairs


def snapshot(request: str, symbol: str, top: Mapping[Side, tuple[Decimal, int]]) -> list[Pair]:
    """Return the MarketDataSnapshotFullRefresh of a symbol's best quotes."""
    entries: list[Pair] = []
    for side, (price, qty) in top.items():
        entries += [(269, _entry(side)), (270, str(price)), (271, str(qty))]
    return [(262, request), (55, symbol), (268, str(len(top))), *entries]


def increment(
    request: str, day: Day, quotes: Mapping[str, Mapping[Side, tuple[Decimal, int]]]
) -> list[Pair]:
    """Return the MarketDataIncrementalRefresh of one whole day: quotes and closes."""
    entries = list(_entries(day, quotes))
    pairs: list[Pair] = [(262, request), (268, str(len(entries)))]
    for entry in entries:
        pairs += entry
    return [*pairs, (Tag.SEQ, str(day.seq))]


def _entries(
    day: Day, quotes: Mapping[str, Mapping[Side, tuple[Decimal, int]]]
) -> Iterator[list[Pair]]:
    when: list[Pair] = [(272, f"{day.day:%Y%m%d}")]
    for symbol, close in day.closes.items():
        if close.strip():
            yield [(279, "0"), (269, "5"), (55, symbol), *_close(close.strip()), *when]
        for side, (price, qty) in quotes.get(symbol, {}).items():
            yield [
                *((279, "0"), (269, _entry(side)), (55, symbol)),
                *((270, str(price)), (271, str(qty)), *when),
            ]


def _close(raw: str) -> list[Pair]:
    """Return a close as found: FIX carries numbers only, so another text goes beside a 0."""
    return [(270, raw)] if NUMBER.fullmatch(raw) else [(270, "0"), (58, raw)]


def _entry(side: Side) -> str:
    return "0" if side is Side.BUY else "1"


def timestamp(at_ns: int) -> str:
    """Return UTC nanoseconds as a FIX UTCTimestamp of microseconds."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return f"{at:%Y%m%d-%H:%M:%S}.{at_ns // 1_000 % 1_000_000:06d}"
