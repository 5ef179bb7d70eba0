"""The matching engine under any sequence of commands, and the rules one by one."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.core.instruments import Instrument
from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue.book import MAKER
from apps.venue.engine import Cancel, Exchange, NewOrder, Replace, Row, Rules

SYMBOL = "AAPL"
TICK = Decimal("0.01")
SESSIONS = ("OPS-A-ORD", "OPS-B-ORD")


def exchange(**rules: Any) -> Exchange:
    """Return an exchange with one symbol, on its first day."""
    made = Exchange({SYMBOL: Instrument(symbol=SYMBOL, mic="XNAS", tick=TICK)}, Rules(**rules))
    made.end_day("2020-01-02")
    return made


def order(
    name: str,
    side: Side = Side.BUY,
    qty: int = 10,
    limit: str | None = "10.00",
    tif: TimeInForce = TimeInForce.DAY,
    session: str = SESSIONS[0],
) -> NewOrder:
    """Return a NewOrderSingle."""
    return NewOrder(
        session=session,
        cl_ord_id=name,
        symbol=SYMBOL,
        side=side,
        qty=qty,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit=Decimal(limit) if limit else None,
        tif=tif,
    )


def quoted(bid: str = "9.90", offer: str = "10.10", qty: int = 100, **rules: Any) -> Exchange:
    """Return an exchange on which the market maker quotes."""
    made = exchange(**rules)
    assert made.quote(SYMBOL, Decimal(bid), Decimal(offer), qty) == []
    return made


def kinds(rows: list[Row]) -> list[str]:
    """Return the kinds of events."""
    return [row["kind"] for row in rows]


def test_a_marketable_order_is_executed_at_the_resting_price() -> None:
    rows = quoted().enter(order("a", limit="10.50", tif=TimeInForce.IOC))
    assert kinds(rows) == ["accept", "execution"]
    assert rows[1]["price"] == "10.10"
    assert (rows[1]["qty"], rows[1]["cum_qty"], rows[1]["leaves_qty"]) == (10, 10, 0)


def test_the_rest_of_an_ioc_is_cancelled_and_of_a_day_order_rests() -> None:
    rows = quoted(qty=4).enter(order("a", limit="10.50", tif=TimeInForce.IOC))
    assert kinds(rows) == ["accept", "execution", "cancel"]
    assert rows[2]["cum_qty"] == 4
    made = quoted(qty=4)
    assert kinds(made.enter(order("a", limit="10.10"))) == ["accept", "execution"]
    assert made.top(SYMBOL)[Side.BUY] == (Decimal("10.10"), 6)


def test_fok_is_all_or_nothing() -> None:
    assert kinds(quoted(qty=9).enter(order("a", limit="10.50", tif=TimeInForce.FOK))) == [
        "accept",
        "cancel",
    ]
    rows = quoted(qty=10).enter(order("a", limit="10.50", tif=TimeInForce.FOK))
    assert kinds(rows) == ["accept", "execution"]


def test_a_market_order_never_rests() -> None:
    rows = exchange().enter(order("a", limit=None))
    assert kinds(rows) == ["accept", "cancel"]


def test_price_goes_before_time_and_time_before_later() -> None:
    made = exchange()
    for name, limit in (("late-good", "10.02"), ("first", "10.01"), ("second", "10.01")):
        made.enter(order(name, limit=limit))
    filled = [row["cl_ord_id"] for row in made.quote(SYMBOL, Decimal("9.00"), Decimal("10.00"), 25)]
    assert filled == ["late-good", "first", "second"]


@pytest.mark.parametrize(
    ("check", "session", "expected"),
    [
        ("firm", SESSIONS[0], "reject"),
        ("firm", SESSIONS[1], "reject"),
        ("session", SESSIONS[0], "reject"),
        ("session", SESSIONS[1], "accept"),
        ("none", SESSIONS[0], "accept"),
    ],
)
def test_duplicate_clordid(check: str, session: str, expected: str) -> None:
    made = exchange(duplicate_check=check)
    made.enter(order("same"))
    assert kinds(made.enter(order("same", session=session)))[0] == expected


def test_cancel_replace_and_what_is_refused() -> None:
    made = exchange()
    made.enter(order("a"))
    assert kinds(made.replace(Replace(SESSIONS[0], "b", "a", 6, Decimal("10.00")))) == ["replace"]
    assert kinds(made.cancel(Cancel(SESSIONS[0], "c", "b"))) == ["cancel"]
    refused = made.cancel(Cancel(SESSIONS[0], "d", "b"))
    assert kinds(refused) == ["cancel_reject"]
    assert refused[0]["reason"] == 0
    assert made.cancel(Cancel(SESSIONS[0], "e", "nobody"))[0]["reason"] == 1


def test_replace_keeps_priority_only_when_it_shrinks() -> None:
    for qty, first in ((5, "a2"), (15, "b")):
        made = exchange()
        made.enter(order("a"))
        made.enter(order("b"))
        made.replace(Replace(SESSIONS[0], "a2", "a", qty, Decimal("10.00")))
        rows = made.quote(SYMBOL, Decimal("9.00"), Decimal("10.00"), 1)
        assert rows[0]["cl_ord_id"] == first


def test_a_firm_does_not_trade_with_itself() -> None:
    made = exchange()
    made.enter(order("sell", Side.SELL, limit="10.00"))
    rows = made.enter(order("buy", limit="10.05", session=SESSIONS[1]))
    assert kinds(rows) == ["accept", "cancel"]
    assert rows[1]["text"] == "would trade with own firm"


def test_cancel_on_disconnect_by_profile() -> None:
    kept, cancelled = exchange(), exchange(on_disconnect="cancel")
    for made in (kept, cancelled):
        made.enter(order("a"))
    assert kept.disconnect(SESSIONS[0]) == []
    assert kinds(cancelled.disconnect(SESSIONS[0])) == ["cancel"]


def test_day_orders_expire() -> None:
    made = exchange()
    made.enter(order("a"))
    assert kinds(made.end_day("2020-01-03")) == ["expire"]
    assert made.open_orders(SESSIONS[0]) == []


@pytest.mark.parametrize("bad", [{"limit": "10.001"}, {"limit": "-1"}, {"qty": 0}])
def test_orders_that_cannot_be_are_rejected(bad: dict[str, Any]) -> None:
    assert kinds(exchange().enter(order("a", **bad))) == ["reject"]


prices = st.integers(90, 110).map(lambda ticks: str(ticks * TICK * 10))
shares = st.integers(1, 30)


class Trading(RuleBasedStateMachine):
    """Any sequence of orders, cancels, replaces, quotes and day ends."""

    def __init__(self) -> None:
        super().__init__()
        self.made = exchange()
        self.rows: list[Row] = []
        self.count = 0

    def name(self) -> str:
        """Return an id that was not used yet."""
        self.count += 1
        return f"o{self.count}"

    @rule(
        side=st.sampled_from(Side),
        qty=shares,
        limit=st.none() | prices,
        tif=st.sampled_from(TimeInForce),
        session=st.sampled_from(SESSIONS),
    )
    def enter(
        self, side: Side, qty: int, limit: str | None, tif: TimeInForce, session: str
    ) -> None:
        """Enter an order."""
        self.rows += self.made.enter(order(self.name(), side, qty, limit, tif, session))

    @rule(number=st.integers(1, 40), session=st.sampled_from(SESSIONS))
    def cancel(self, number: int, session: str) -> None:
        """Cancel some order, which may not exist."""
        self.rows += self.made.cancel(Cancel(session, self.name(), f"o{number}"))

    @rule(number=st.integers(1, 40), qty=shares, limit=prices)
    def replace(self, number: int, qty: int, limit: str) -> None:
        """Replace some order, which may not exist."""
        self.rows += self.made.replace(
            Replace(SESSIONS[0], self.name(), f"o{number}", qty, Decimal(limit))
        )

    @rule(bid=st.integers(900, 1090), spread=st.integers(1, 20), qty=shares)
    def quote(self, bid: int, spread: int, qty: int) -> None:
        """Let the market maker quote."""
        self.rows += self.made.quote(SYMBOL, bid * TICK, (bid + spread) * TICK, qty)

    @rule(day=st.integers(3, 28))
    def end_day(self, day: int) -> None:
        """End the trading day."""
        self.rows += self.made.end_day(f"2020-01-{day:02d}")

    @invariant()
    def never_crossed(self) -> None:
        """The best bid is below the best offer."""
        top = self.made.top(SYMBOL)
        if len(top) == 2:
            assert top[Side.BUY][0] < top[Side.SELL][0]

    @invariant()
    def conserved(self) -> None:
        """Executed shares add up, order by order, and none is executed beyond its size."""
        executed: defaultdict[str, int] = defaultdict(int)
        for row in self.rows:
            if row["kind"] == "execution":
                executed[row["order_id"]] += row["qty"]
                assert row["cum_qty"] == executed[row["order_id"]]
        for one in self.made.orders.values():
            assert one.cum == executed[one.order_id] <= one.qty
            assert one.leaves == (one.qty - one.cum if one.open else 0)

    @invariant()
    def numbered_once(self) -> None:
        """No ExecID is used twice."""
        numbers = [row["exec_id"] for row in self.rows if "exec_id" in row]
        assert len(numbers) == len(set(numbers))

    @invariant()
    def restored_from_the_record(self) -> None:
        """The recorded events alone give the same orders and the same resting book."""
        again = exchange()
        again.restore(self.rows)
        assert again.orders == self.made.orders
        assert again.ids == self.made.ids
        assert again.numbers["exec"] == self.made.numbers["exec"]
        for side in Side:
            mine = [o.order_id for o in again.books[SYMBOL].halves[side].orders()]
            theirs = [
                o.order_id
                for o in self.made.books[SYMBOL].halves[side].orders()
                if o.owner != MAKER
            ]
            assert mine == theirs


Trading.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTrading = Trading.TestCase
