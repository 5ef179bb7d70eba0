"""The matching engine under any sequence of commands, and its rules one by one."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.core.messages import OrderType, Side, TimeInForce
from apps.venue.book import Entry
from apps.venue.commands import (
    CancelOrder,
    Command,
    Enter,
    OpenDay,
    ReplaceOrder,
    SessionDown,
    SessionUp,
)
from apps.venue.engine import decide
from apps.venue.lines import (
    Accept,
    Cancel,
    CancelReject,
    Event,
    Execution,
    Expire,
    Quote,
    Refusal,
    Reject,
    Replace,
    Report,
)
from apps.venue.state import Profile, State

A, B = "OPS-A-ORD", "OPS-B-ORD"
SYMBOLS = ("AAA", "BBB")


def snapshot(state: State) -> object:
    """Return everything of a state that can be compared."""
    books = {
        symbol: [
            [(e.order_id, e.ticks, e.leaves, e.maker) for e in side.entries()]
            for side in (book.bids, book.offers)
        ]
        for symbol, book in state.books.items()
    }
    orders = {
        i: (o.session, o.cl_ord_id, o.qty, o.cum_qty, o.notional, o.status, o.limit)
        for i, o in state.orders.items()
    }
    return (books, orders, list(state.open), list(state.today), state.next_n, state.seq)


class Trading(RuleBasedStateMachine):
    """Any commands in any order; a second state is built from the lines alone."""

    @initialize(
        duplicates=st.sampled_from(["firm", "session", "none"]),
        on_disconnect=st.sampled_from(["keep", "cancel"]),
        cross=st.booleans(),
    )
    def begin(self, duplicates: str, on_disconnect: str, cross: bool) -> None:
        profile = Profile(duplicates, on_disconnect, True, "firm", cross)  # type: ignore[arg-type]
        self.state, self.replica = State(profile), State(profile)
        self.exec_ids: set[str] = set()
        self.traded: defaultdict[str, int] = defaultdict(int)
        self.seq = -1
        self.next_day(10)

    def do(self, command: Command) -> list[Event]:
        before = snapshot(self.state)
        lines = decide(self.state, command, 1)
        assert snapshot(self.state) == before, "a decision changed the state"
        for line in lines:
            self.state.apply(line)
            self.replica.apply(line)
            if isinstance(line, Report):
                assert line.exec_id not in self.exec_ids
                self.exec_ids.add(line.exec_id)
            if isinstance(line, Execution):
                self.check_execution(line)
        return lines

    def check_execution(self, line: Execution) -> None:
        assert line.qty > 0
        assert line.cum_qty + line.leaves_qty == line.order_qty
        if line.maker:
            return
        self.traded[line.order_id] += line.qty
        assert line.cum_qty == self.traded[line.order_id]
        if line.limit is not None:
            better = line.price <= line.limit if line.side is Side.BUY else line.price >= line.limit
            assert better

    @rule(
        session=st.sampled_from([A, B]),
        name=st.integers(0, 40),
        symbol=st.sampled_from([*SYMBOLS, "ZVZZT", "NONE"]),
        side=st.sampled_from(Side),
        qty=st.integers(-1, 40),
        price=st.one_of(st.none(), st.integers(95, 105)),
        tif=st.sampled_from(TimeInForce),
    )
    def enter(
        self,
        session: str,
        name: int,
        symbol: str,
        side: Side,
        qty: int,
        price: int | None,
        tif: TimeInForce,
    ) -> None:
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        limit = None if price is None else Decimal(price) / 10_000
        known = self.state.known(session, f"o{name}")
        opposite = Side.SELL if side is Side.BUY else Side.BUY
        queue: list[Entry] = []
        if symbol in self.state.books:
            queue = list(self.state.books[symbol].side(opposite).entries())
        lines = self.do(Enter(session, f"o{name}", symbol, side, qty, kind, limit, tif))
        first = lines[0]
        if known:
            assert isinstance(first, Reject)
            assert first.reason is Refusal.DUPLICATE
            assert len(lines) == 1
            return
        executions = [x for x in lines if isinstance(x, Execution)]
        takers = [x for x in executions if not x.maker]
        assert sum(x.qty for x in takers) == sum(x.qty for x in executions if x.maker)
        # Priority: what traded is the head of the queue, in its order, none of it the firm's.
        makers = [x.order_id for x in executions if x.maker]
        assert makers == [e.order_id for e in queue[: len(makers)]]
        if isinstance(first, Accept):
            order = self.state.orders[first.order_id]
            if tif is TimeInForce.FOK and takers:
                assert order.cum_qty == qty
            if tif is not TimeInForce.DAY or limit is None:
                assert not order.open

    @rule(session=st.sampled_from([A, B]), name=st.integers(0, 80), orig=st.integers(0, 40))
    def cancel(self, session: str, name: int, orig: int) -> None:
        (line,) = self.do(CancelOrder(session, f"c{name}", f"o{orig}"))
        assert isinstance(line, Cancel | CancelReject)

    @rule(
        session=st.sampled_from([A, B]),
        name=st.integers(0, 80),
        orig=st.integers(0, 40),
        qty=st.integers(1, 40),
        price=st.integers(95, 105),
    )
    def replace(self, session: str, name: int, orig: int, qty: int, price: int) -> None:
        order = self.state.find(session, f"o{orig}")
        symbol, side = (order.symbol, order.side) if order else ("AAA", Side.BUY)
        limit = Decimal(price) / 10_000
        queue: list[str] = []
        if order is not None and order.order_id in self.state.entries:
            queue = [e.order_id for e in self.state.books[symbol].side(side).entries()]
            kept = limit == order.limit and qty <= order.qty
        command = ReplaceOrder(session, f"r{name}", f"o{orig}", symbol, side, qty, limit)
        first = self.do(command)[0]
        if isinstance(first, Replace) and queue and kept:
            assert [e.order_id for e in self.state.books[symbol].side(side).entries()] == queue

    @rule(price=st.integers(5, 15))
    def next_day(self, price: int) -> None:
        self.seq += 1
        quote = Quote(
            bid=Decimal(price + 90 - 2) / 10_000, offer=Decimal(price + 90 + 2) / 10_000, qty=25
        )
        open_before = set(self.state.open)
        lines = self.do(
            OpenDay(
                self.seq,
                f"2020-01-{self.seq % 28 + 1:02d}",
                dict.fromkeys(SYMBOLS, "1"),
                dict.fromkeys(SYMBOLS, quote),
            )
        )
        assert not self.state.open
        expired = {x.order_id for x in lines if isinstance(x, Expire)}
        assert expired <= open_before

    @rule(session=st.sampled_from([A, B]))
    def come_and_go(self, session: str) -> None:
        self.do(SessionUp(session))
        self.do(SessionDown(session))
        if self.state.profile.on_disconnect == "cancel":
            assert all(order.session != session for order in self.state.open.values())

    @invariant()
    def never_crossed(self) -> None:
        if not hasattr(self, "state"):
            return
        for book in self.state.books.values():
            bid, offer = book.bids.best(), book.offers.best()
            assert bid is None or offer is None or bid < offer

    @invariant()
    def orders_add_up(self) -> None:
        if not hasattr(self, "state"):
            return
        for order in self.state.orders.values():
            assert 0 <= order.cum_qty <= max(order.qty, 0)
            resting = self.state.entries.get(order.order_id)
            assert order.open == (resting is not None)
            if resting is not None:
                assert resting.leaves == order.leaves_qty > 0
        assert list(self.state.open) == [i for i, o in self.state.orders.items() if o.open]

    @invariant()
    def the_record_alone_gives_the_state(self) -> None:
        if hasattr(self, "state"):
            assert snapshot(self.replica) == snapshot(self.state)


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=120, stateful_step_count=40)
