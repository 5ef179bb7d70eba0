"""The ledger against the plainest recomputation, in whatever order things arrive."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.desk.ledger import Booking, Ledger, units, usd

CAPITAL = Decimal("1000000")
SYMBOLS = ("AAPL", "KO", "XOM")
DAYS = [f"2010-01-{number:02d}" for number in range(4, 16)]

prices = st.integers(1_0000, 900_0000).map(lambda n: Decimal(n).scaleb(-4))
closes = st.lists(
    st.fixed_dictionaries(dict.fromkeys(SYMBOLS, prices)), min_size=1, max_size=len(DAYS)
)


@st.composite
def histories(
    draw: st.DrawFn,
) -> tuple[list[tuple[str, dict[str, Decimal]]], list[Booking]]:
    days = list(zip(DAYS, draw(closes), strict=False))
    trades = draw(
        st.lists(
            st.tuples(
                st.sampled_from([day for day, _ in days]),
                st.sampled_from(SYMBOLS),
                st.integers(-5_000, 5_000).filter(bool),
                prices,
            ),
            max_size=25,
        )
    )
    bookings = [
        Booking(("VENUE", day, str(n), "buy" if qty > 0 else "sell"), day, symbol, qty, price)
        for n, (day, symbol, qty, price) in enumerate(trades)
    ]
    return days, bookings


def recomputed(
    days: list[tuple[str, dict[str, Decimal]]], bookings: list[Booking]
) -> list[Decimal]:
    """Equity of every day, from nothing but the definition."""
    series = []
    for day, close in days:
        booked = [b for b in bookings if b.day <= day]
        cash = CAPITAL - sum((b.qty * b.price for b in booked), Decimal(0))
        series.append(cash + sum((b.qty * close[b.symbol] for b in booked), Decimal(0)))
    return series


@given(histories(), st.randoms(use_true_random=False))
def test_equity_is_that_of_the_definition_in_any_order_of_arrival(
    history: tuple[list[tuple[str, dict[str, Decimal]]], list[Booking]],
    random: st.DataObject,
) -> None:
    days, bookings = history
    ledger = Ledger(CAPITAL)
    arriving: list[int | Booking] = [*bookings, *bookings]
    random.shuffle(arriving)  # type: ignore[attr-defined]
    for at in range(len(days)):
        place = random.randrange(len(arriving) + 1)  # type: ignore[attr-defined]
        arriving.insert(place, at)
    numbers = iter(range(len(days)))
    for event in arriving:
        if isinstance(event, Booking):
            ledger.book(event)
        else:
            at = next(numbers)
            assert ledger.close(100 + at, *days[at])
    expected = recomputed(days, bookings)
    assert [usd(amount) for amount in ledger.equity] == expected
    assert usd(ledger.value) == expected[-1]
    assert usd(ledger.pnl) == expected[-1] - CAPITAL
    before = expected[-2] if len(expected) > 1 else CAPITAL
    assert usd(ledger.pnl_today) == expected[-1] - before


@given(histories())
def test_the_parts_sum_to_the_whole(
    history: tuple[list[tuple[str, dict[str, Decimal]]], list[Booking]],
) -> None:
    days, bookings = history
    ledger = Ledger(CAPITAL)
    for at, (day, close) in enumerate(days):
        ledger.close(at, day, close)
        for booking in bookings:
            if booking.day == day:
                ledger.book(booking)
    assert sum(h.pnl for h in ledger.holdings.values()) == ledger.pnl
    assert sum(h.pnl_today for h in ledger.holdings.values()) == ledger.pnl_today
    now, deepest = ledger.drawdown()
    assert 0 <= now <= deepest


@given(histories())
def test_the_index_is_the_chained_mean_of_the_returns(
    history: tuple[list[tuple[str, dict[str, Decimal]]], list[Booking]],
) -> None:
    days, bookings = history
    ledger = Ledger(CAPITAL)
    for booking in bookings:
        ledger.book(booking)
    level = CAPITAL
    for at, (day, close) in enumerate(days):
        ledger.close(at, day, close)
        if at:
            before = days[at - 1][1]
            moves = (close[symbol] / before[symbol] for symbol in SYMBOLS)
            level *= sum(moves, Decimal(0)) / len(SYMBOLS)
        assert ledger.index[at] == pytest.approx(float(level))


def test_a_day_seen_before_changes_nothing() -> None:
    ledger = Ledger(CAPITAL)
    assert ledger.close(7, "2010-01-04", {"KO": Decimal(50)})
    assert not ledger.close(7, "2010-01-04", {"KO": Decimal(60)})
    assert not ledger.close(6, "2010-01-01", {"KO": Decimal(60)})
    assert (ledger.days, ledger.holdings["KO"].last) == (["2010-01-04"], units(Decimal(50)))


def test_an_execution_is_booked_once() -> None:
    ledger = Ledger(CAPITAL)
    booking = Booking(("VENUE", "2010-01-04", "1", "buy"), "2010-01-04", "KO", 10, Decimal("50.25"))
    other_side = Booking(
        ("VENUE", "2010-01-04", "1", "sell"), "2010-01-04", "KO", -10, Decimal("50.25")
    )
    assert ledger.book(booking) == 0
    assert ledger.book(booking) is None
    assert usd(ledger.cash) == Decimal("999497.5")
    assert ledger.book(other_side) == 0
    assert usd(ledger.cash) == CAPITAL


def test_a_late_execution_restates_its_day_and_all_after_it() -> None:
    ledger = Ledger(CAPITAL)
    for at, price in enumerate(("50", "51", "53")):
        ledger.close(at, DAYS[at], {"KO": Decimal(price)})
    late = Booking(("VENUE", DAYS[1], "1", "buy"), DAYS[1], "KO", 100, Decimal("50.50"))
    assert ledger.book(late) == 1
    assert [usd(amount) - CAPITAL for amount in ledger.equity] == [0, 50, 250]
    assert usd(ledger.pnl_today) == 200


def test_a_stock_without_a_close_keeps_its_last() -> None:
    ledger = Ledger(CAPITAL)
    ledger.close(0, DAYS[0], {"KO": Decimal(50), "XOM": Decimal(80)})
    ledger.book(Booking(("VENUE", DAYS[0], "1", "buy"), DAYS[0], "XOM", 10, Decimal(80)))
    ledger.close(1, DAYS[1], {"KO": Decimal(55)})
    assert usd(ledger.value) == CAPITAL
    assert ledger.index[1] == 1_050_000
    ledger.close(2, DAYS[2], {"KO": Decimal(55), "XOM": Decimal(88)})
    assert usd(ledger.value) == CAPITAL + 80
    assert ledger.index[2] == 1_102_500


def test_drawdown_is_measured_from_the_highest() -> None:
    ledger = Ledger(Decimal(100))
    ledger.book(Booking(("VENUE", DAYS[0], "1", "buy"), DAYS[0], "KO", 1, Decimal(100)))
    for at, price in enumerate(("100", "125", "100", "110")):
        ledger.close(at, DAYS[at], {"KO": Decimal(price)})
    assert ledger.drawdown() == (Decimal("0.12"), Decimal("0.2"))


def test_a_finer_price_than_the_tick_is_refused() -> None:
    with pytest.raises(ValueError, match="four digits"):
        units(Decimal("1.00005"))
