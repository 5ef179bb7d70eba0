from __future__ import annotations

from decimal import Decimal

import pytest

from apps.core.fix import Received, compose, parse
from apps.core.messages import OrderType, Side, TimeInForce
from apps.core.records import ReportKind
from apps.execution import wire
from apps.execution.gateway import refusal
from tests.unit.execution.made import fill, intent, order, report, unknown

AT_NS = 1_262_725_200_123_456_000


def message(msg_type: str, *pairs: tuple[int, str]) -> Received:
    return Received("OPS-A-ORD", msg_type, 5, False, parse(compose(msg_type, pairs)))


def test_an_execution_report_is_read_whole() -> None:
    seen = wire.report(
        message(
            "8",
            *((11, "a.c1"), (41, "a"), (17, "E7"), (150, "F"), (39, "1"), (55, "AAPL"), (54, "2")),
            *((38, "100"), (14, "40"), (32, "40"), (31, "10.0001"), (75, "20100105")),
            *((60, "20100105-21:00:00.123456"), (58, "so be\tit")),
        ),
        venue="VENUE",
        received_ns=3,
    )
    assert (seen.order, seen.exec_id, seen.exec_type, seen.ord_status) == ("a", "E7", "F", "1")
    assert (seen.side, seen.qty, seen.cum_qty, seen.last_qty) == (Side.SELL, 100, 40, 40)
    assert (seen.last_px, seen.day, seen.at_ns) == (Decimal("10.0001"), "2010-01-05", AT_NS)
    assert (seen.session, seen.seq, seen.text) == ("OPS-A-ORD", 5, "so be?it")


def test_a_missing_trade_date_is_the_day_of_the_report() -> None:
    pairs = ((11, "a"), (150, "0"), (39, "0"), (60, "20100105-21:00:00"))
    assert wire.report(message("8", *pairs), venue="V", received_ns=3).day == "2010-01-05"
    assert wire.report(message("8", *pairs[:3]), venue="V", received_ns=AT_NS).day == "2010-01-05"


def test_rejections_carry_their_own_reason() -> None:
    cancel = message("9", (11, "c"), (41, "a"), (39, "2"), (102, "1"), (434, "1"))
    seen = wire.report(cancel, venue="V", received_ns=1)
    assert (seen.kind, seen.order, seen.reason_code) == (ReportKind.CANCEL_REJECT, "a", 1)
    refused = message("j", (45, "7"), (372, "D"), (379, "a"), (380, "0"), (58, "what?"))
    seen = wire.report(refused, venue="V", received_ns=1)
    assert (seen.kind, seen.order, seen.text) == (ReportKind.REJECT, "a", "what?")


@pytest.mark.parametrize(
    "bad",
    [
        message("0"),
        message("8", (150, "F")),
        message("8", (11, "a"), (150, "F"), (32, "1.5")),
        message("8", (11, "a"), (150, "F"), (31, "much")),
        message("8", (11, "a"), (75, "yesterday")),
    ],
)
def test_what_is_no_report_says_so(bad: Received) -> None:
    with pytest.raises(wire.NotAReport):
        wire.report(bad, venue="V", received_ns=1)


def test_what_the_venue_refuses_is_told_apart() -> None:
    cancel = report(kind=ReportKind.CANCEL_REJECT, exec_type="", ord_status="0")
    asked = {"kind": ReportKind.REJECT, "exec_type": "", "ord_status": ""}
    told = [
        report(),
        fill("E1", 50, 50),
        unknown(),
        report(exec_type="8", ord_status="8", reason_code=2),
        report(exec_type="8", ord_status="8", reason_code=6),
        cancel,
        report(**asked, refused="F"),
        report(**asked, refused="D"),
        report(**asked, refused="H"),
        report(**asked, refused="D", throttled=True),
    ]
    assert [refusal(one) for one in told] == [
        *("", "", "", "order", "duplicate", "cancel", "cancel", "order", "", "throttled"),
    ]


def test_requests_carry_what_the_venue_needs() -> None:
    entered = dict(wire.new_order(order(), AT_NS))
    assert entered == {
        11: "s-7-AAPL-0",
        21: "1",
        38: "100",
        40: "2",
        54: "1",
        55: "AAPL",
        59: "3",
        60: "20100105-21:00:00.123456",
        44: "10.0000",
    }
    market = intent(order_type=OrderType.MARKET, limit=None, tif=TimeInForce.DAY)
    entered = dict(wire.new_order(order(intent=market), AT_NS))
    assert (entered[40], entered[59], 44 in entered) == ("1", "0", False)
    cancelled = dict(wire.cancel(order(), "c1", AT_NS))
    assert (cancelled[11], cancelled[41], cancelled[54]) == ("c1", "s-7-AAPL-0", "1")
    asked = {11: "s-7-AAPL-0", 54: "1", 55: "AAPL", 790: "s-7-AAPL-0.s1"}
    assert dict(wire.status(order())) == asked
    with pytest.raises(ValueError, match="not ours to enter"):
        wire.new_order(order(intent=None), AT_NS)


def test_small_prices_are_written_without_an_exponent() -> None:
    tiny = order(intent=intent(limit=Decimal("1E-4")))
    assert dict(wire.new_order(tiny, AT_NS))[44] == "0.0001"
