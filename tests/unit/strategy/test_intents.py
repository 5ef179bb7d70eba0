from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.core.instruments import Instrument, instrument
from apps.core.messages import Intent, OrderType, Side, TimeInForce
from apps.strategy.api import Holdings, Limits, Market, Shares, Weights
from apps.strategy.intents import Terms, intents, limit_price, share_targets

SYMBOLS = ("AAPL", "KO", "MSFT", "XOM")
LIMITS = Limits(position_usd=Decimal(250_000), gross_usd=Decimal(1_100_000))
TERMS = Terms(order_usd=Decimal(250_000), order_shares=1_000_000, offset_bps=50, min_trade_bps=25)
WIDE = Limits(position_usd=Decimal(10**12), gross_usd=Decimal(10**12))


def market(prices: dict[str, str], quoted: frozenset[str] | None = None, seq: int = 100) -> Market:
    exact = {name: Decimal(price) for name, price in prices.items()}
    return Market(
        seq=seq,
        day="2020-01-02",
        symbols=tuple(sorted(exact)),
        closes=np.array([[float(exact[name]) for name in sorted(exact)]]),
        prices=exact,
        quoted=frozenset(exact) if quoted is None else quoted,
    )


def net(orders: tuple[Intent, ...]) -> dict[str, int]:
    change: dict[str, int] = {}
    for order in orders:
        sign = 1 if order.side is Side.BUY else -1
        change[order.symbol] = change.get(order.symbol, 0) + sign * order.qty
    return change


def test_weights_become_whole_shares_of_the_equity() -> None:
    held = Holdings(cash=Decimal(100_000), positions={})
    targets = share_targets(
        Weights({"AAPL": 0.5, "KO": 0.25}), market({"AAPL": "75", "KO": "33"}), held, LIMITS, TERMS
    )
    assert targets == {"AAPL": 666, "KO": 757}


def test_a_symbol_that_is_not_named_is_sold() -> None:
    held = Holdings(cash=Decimal(0), positions={"KO": 100, "AAPL": 10})
    now = market({"AAPL": "75", "KO": "50"})
    targets = share_targets(Shares({"AAPL": 10}), now, held, LIMITS, TERMS)
    assert targets == {"AAPL": 10}
    (order,) = intents("momentum", now, held, targets, TERMS)
    assert (order.id, order.side, order.qty) == ("momentum-100-KO-0", Side.SELL, 100)
    assert (order.order_type, order.tif) == (OrderType.LIMIT, TimeInForce.IOC)


def test_position_and_gross_limits_hold() -> None:
    held = Holdings(cash=Decimal(10_000_000), positions={})
    now = market({"AAPL": "75", "KO": "50", "MSFT": "160", "XOM": "60"})
    everything = Weights(dict.fromkeys(SYMBOLS, 0.25))
    targets = share_targets(everything, now, held, LIMITS, TERMS)
    for name, qty in targets.items():
        assert qty * now.prices[name] * Decimal("1.005") <= LIMITS.position_usd
    tight = Limits(position_usd=Decimal(250_000), gross_usd=Decimal(400_000))
    targets = share_targets(everything, now, held, tight, TERMS)
    assert sum(qty * now.prices[name] for name, qty in targets.items()) <= tight.gross_usd


def test_small_changes_are_left_alone_but_exits_are_not() -> None:
    held = Holdings(cash=Decimal(99_000), positions={"AAPL": 10, "KO": 1})
    now = market({"AAPL": "75", "KO": "50"})
    targets = share_targets(Shares({"AAPL": 12}), now, held, LIMITS, TERMS)
    assert targets == {"AAPL": 10}
    assert net(intents("m", now, held, targets, TERMS)) == {"KO": -1}


def test_without_a_close_today_nothing_is_traded() -> None:
    held = Holdings(cash=Decimal(0), positions={"KO": 100})
    now = market({"AAPL": "75", "KO": "50"}, quoted=frozenset({"AAPL"}))
    targets = share_targets(Shares({}), now, held, LIMITS, TERMS)
    assert targets == {"KO": 100}
    assert intents("m", now, held, targets, TERMS) == ()


def test_a_large_order_is_split_by_notional_and_by_shares() -> None:
    held = Holdings(cash=Decimal(10**7), positions={})
    terms = Terms(Decimal(10_000), 120, 50, 25)
    now = market({"AAPL": "75", "KO": "10"})
    orders = intents("m", now, held, {"AAPL": 300, "KO": 300}, terms)
    assert net(orders) == {"AAPL": 300, "KO": 300}
    assert [o.id for o in orders if o.symbol == "KO"] == ["m-100-KO-0", "m-100-KO-1", "m-100-KO-2"]
    for order in orders:
        assert order.limit is not None
        assert order.qty * order.limit <= terms.order_usd
        assert order.qty <= terms.order_shares


def test_a_price_of_cents_keeps_a_limit_on_its_tick() -> None:
    what = instrument("AAPL")
    assert limit_price(what, Decimal("0.1443"), Side.BUY, 50) == Decimal("0.1450")
    assert limit_price(what, Decimal("0.1443"), Side.SELL, 50) == Decimal("0.1436")
    assert limit_price(what, Decimal("0.0001"), Side.SELL, 50) == Decimal("0.0001")


prices = st.decimals("0.01", "5000", places=4)
shares = st.integers(-5_000, 5_000)
books = st.fixed_dictionaries(dict.fromkeys(SYMBOLS, shares))


@given(
    st.fixed_dictionaries(dict.fromkeys(SYMBOLS, prices)),
    books,
    books,
    books,
    st.sets(st.sampled_from(SYMBOLS)),
)
def test_orders_lead_exactly_to_the_targets_and_only_once(
    at: dict[str, Decimal],
    positions: dict[str, int],
    open_qty: dict[str, int],
    wanted: dict[str, int],
    quoted: set[str],
) -> None:
    now = market({name: str(price) for name, price in at.items()}, frozenset(quoted))
    held = Holdings(Decimal(10**9), positions, open_qty)
    targets = share_targets(Shares(wanted), now, held, WIDE, TERMS)
    orders = intents("m", now, held, targets, TERMS)
    change = net(orders)
    for name in SYMBOLS:
        exposure = held.exposure(name) + change.get(name, 0)
        assert exposure == targets.get(name, 0)
        assert name in quoted or name not in change
    # With these orders open, the same decision asks for nothing more.
    after = Holdings(
        held.cash, positions, {name: open_qty[name] + change.get(name, 0) for name in SYMBOLS}
    )
    again = share_targets(Shares(wanted), now, after, WIDE, TERMS)
    assert intents("m", now, after, again, TERMS) == ()
    sides = [order.side for order in orders]
    assert sides == sorted(sides, key=lambda side: side is Side.BUY)
    assert len({order.id for order in orders}) == len(orders)
    for order in orders:
        assert order.limit is not None
        assert order.qty > 0
        instrument(order.symbol).ticks(order.limit)
        assert abs(order.limit / at[order.symbol] - 1) <= Decimal("0.0050")


@given(prices, st.sampled_from(list(Side)), st.integers(0, 300))
def test_a_limit_lies_on_a_tick_within_the_offset(close: Decimal, side: Side, bps: int) -> None:
    what = Instrument(symbol="T", mic="XXXX")
    limit = limit_price(what, close, side, bps)
    what.ticks(limit)
    away = (limit / close - 1) * (1 if side is Side.BUY else -1)
    assert 0 <= away <= Decimal(bps) / 10_000
