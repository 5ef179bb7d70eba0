from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.core.messages import Side
from apps.execution.portfolio import Portfolio, Position

EXECUTIONS = st.lists(
    st.tuples(
        st.sampled_from(["AAPL", "MSFT"]),
        st.sampled_from(Side),
        st.integers(1, 1_000),
        st.integers(1, 10_000_000).map(lambda ticks: ticks * Decimal("0.0001")),
    ),
    max_size=30,
)


@given(EXECUTIONS)
def test_cash_and_shares_are_exactly_what_was_paid_and_received(
    executions: list[tuple[str, Side, int, Decimal]],
) -> None:
    held = Portfolio(Decimal(1_000_000))
    for symbol, side, qty, price in executions:
        held = held.book(symbol, side, qty, price)

    signs = {Side.BUY: 1, Side.SELL: -1}
    paid = sum((signs[side] * qty * price for _, side, qty, price in executions), Decimal(0))
    assert held.cash == Decimal(1_000_000) - paid
    for symbol in ("AAPL", "MSFT"):
        shares = sum(signs[side] * qty for s, side, qty, _ in executions if s == symbol)
        assert held.qty(symbol) == shares
        position = held.positions.get(symbol, Position())
        assert (position.cost > 0) == (shares > 0)
        assert (position.cost < 0) == (shares < 0)


def test_average_cost_leaves_with_the_shares() -> None:
    position = Position().book(Side.BUY, 100, Decimal(10)).book(Side.BUY, 100, Decimal(20))
    assert position == Position(200, Decimal(3_000))
    assert position.book(Side.SELL, 50, Decimal(99)) == Position(150, Decimal(2_250))
    assert position.book(Side.SELL, 300, Decimal(99)) == Position(-100, Decimal(-9_900))
    assert position.book(Side.SELL, 200, Decimal(1)) == Position()


def test_a_deposit_is_cash_alone() -> None:
    assert Portfolio(Decimal(5)).deposit(Decimal(-2)) == Portfolio(Decimal(3))
