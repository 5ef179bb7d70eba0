"""The board: what goes in comes out once, and only what changed."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from apps.core.messages import (
    Close,
    DecisionDone,
    Fill,
    OrderState,
    OrderUpdate,
    Portfolio,
    Side,
    Stamps,
)
from apps.desk import wire
from apps.desk.board import KEEP, Board

MS = 1_000_000


@pytest.fixture
def board() -> Board:
    return Board("daily", "a", "daily", 1_000_000, Decimal(1_000_000))


def close(seq: int, price: str = "50", *, probe: str = "", at_ns: int = 0) -> Close:
    return Close(
        seq=seq,
        day=f"2010-01-{seq:02d}",
        event_ns=0,
        prices={"KO": Decimal(price), "XOM": Decimal(80)},
        stamps=Stamps(data_in=at_ns),
        probe=probe,
    )


def fill(number: int, day: int = 4, qty: int = 100) -> Fill:
    return Fill(
        index=number,
        order=f"momentum-4-KO-{number}",
        exec_id=str(number),
        venue="VENUE",
        day=f"2010-01-{day:02d}",
        symbol="KO",
        side=Side.BUY,
        qty=qty,
        price=Decimal("50.05"),
        at_ns=0,
    )


def order(
    number: int, state: OrderState = OrderState.FILLED, *, index: int = 0, probe: str = ""
) -> OrderUpdate:
    return OrderUpdate(
        index=index or number,
        id=f"momentum-4-KO-{number}",
        decision="momentum-4",
        symbol="KO",
        side=Side.BUY,
        qty=100,
        state=state,
        cum_qty=100,
        avg_px=Decimal("50.05"),
        probe=probe,
        stamps=Stamps(data_in=1_000 * MS, sent=(1_000 + number) * MS),
    )


def test_nothing_new_is_nothing_sent(board: Board) -> None:
    board.close(close(4))
    assert board.take() is not None
    assert board.take() is None
    board.close(close(4))
    board.close(close(4, probe="p", price="60"))
    assert board.take() is None


def test_a_day_sends_one_point_and_the_rows_that_moved(board: Board) -> None:
    board.close(close(4))
    board.fill(fill(1))
    board.take()
    board.close(close(5, "51"))
    delta = board.take()
    assert delta is not None
    assert delta.points == wire.Points(
        start=1, days=["2010-01-05"], equity=[1_000_095.0], index=[1_010_000.0]
    )
    assert delta.positions is not None
    assert [(p.symbol, p.qty, p.value, p.pnl, p.today) for p in delta.positions] == [
        ("KO", 100, "5100.00", "95.00", "100.00")
    ]
    assert delta.figures is not None
    assert (delta.figures.equity, delta.figures.cash) == ("1000095.00", "994995.00")
    assert (delta.orders, delta.fills, delta.gone, delta.status) == (None, None, None, None)


def test_a_position_that_is_flat_is_gone(board: Board) -> None:
    board.close(close(4))
    board.fill(fill(1))
    board.take()
    board.fill(msgspec.structs.replace(fill(2), side=Side.SELL))
    delta = board.take()
    assert delta is not None
    assert (delta.gone, delta.positions) == (["KO"], None)


def test_a_fill_told_twice_is_shown_and_booked_once(board: Board) -> None:
    board.close(close(4))
    board.fill(fill(1))
    board.take()
    board.fill(fill(1))
    assert board.take() is None


def test_an_older_state_of_an_order_is_ignored(board: Board) -> None:
    board.order(order(1, OrderState.FILLED, index=9))
    board.take()
    board.order(order(1, OrderState.PENDING_NEW, index=7))
    assert board.take() is None


def test_the_newest_rows_are_kept(board: Board) -> None:
    for number in range(1, KEEP + 6):
        board.order(order(number))
    shown = board.snapshot().state.orders
    assert shown is not None
    assert [row.id for row in shown] == [f"momentum-4-KO-{n}" for n in range(6, KEEP + 6)]
    delta = board.take()
    assert delta is not None
    assert delta.orders == shown


def test_probes_count_for_the_latency_alone(board: Board) -> None:
    board.order(order(3, probe="verify-1"))
    board.decided(DecisionDone(index=4, decision="momentum-verify-1", seq=4))
    delta = board.take()
    assert delta is not None
    assert delta.latency == wire.Latency(
        samples=1, p50_us=3_000.0, p99_us=3_000.0, budget_us=1_000_000
    )
    assert (delta.orders, delta.decisions) == (None, None)


def test_percentiles_are_of_nearest_rank(board: Board) -> None:
    for number in range(1, 201):
        board.order(order(number))
        board.order(order(number, OrderState.CANCELED, index=1_000))
    found = board.snapshot().state.latency
    assert found is not None
    assert (found.samples, found.p50_us, found.p99_us) == (200, 100_000.0, 198_000.0)


def test_a_decision_counts_its_orders_and_knows_its_day(board: Board) -> None:
    board.close(close(4))
    board.order(order(1))
    board.order(order(2))
    board.order(order(2, index=3))
    board.decided(DecisionDone(index=4, decision="momentum-4", seq=4))
    board.decided(
        DecisionDone(index=5, decision="momentum-4", seq=4, verdict="divergent", reason="other")
    )
    decisions = board.snapshot().state.decisions
    assert decisions == [
        wire.Verdict(
            id="momentum-4",
            strategy="momentum",
            seq=4,
            day="2010-01-04",
            verdict="divergent",
            reason="other",
            orders=2,
        )
    ]


def test_a_successor_starts_anew_and_keeps_what_the_books_do_not_hold(board: Board) -> None:
    board.source(books="up", bus="up")
    board.health([wire.Health(name="data", ready=True, detail="", took_ms=1.0)])
    board.close(close(4))
    board.fill(fill(1))
    fresh = board.successor()
    state = fresh.snapshot().state
    assert state.services == [wire.Health(name="data", ready=True, detail="", took_ms=1.0)]
    assert state.status == board.status
    assert state.figures is not None
    assert (state.positions, state.figures.equity) == ([], "1000000.00")


def test_halted_and_a_difference_are_shown(board: Board) -> None:
    board.close(close(4))
    board.fill(fill(1))
    portfolio = Portfolio(
        index=1,
        cash=Decimal("994995.01"),
        positions={},
        open_qty={},
        last_decision={},
        halted=True,
        epoch=4,
        leader="b",
    )
    assert board.told(portfolio) == Decimal("0.01")
    board.differs(Decimal("0.01"))
    assert (board.status.halted, board.status.difference) == (True, "0.01")
    assert (board.status.leader, board.status.epoch) == ("b", 4)
    assert board.told(None) == 0
    board.differs(Decimal(0))
    assert (board.status.halted, board.status.difference) == (False, "")


def test_the_pace_is_the_median_gap_between_days(board: Board) -> None:
    for seq, at_s in ((4, 10), (5, 12), (6, 14), (7, 60)):
        board.close(close(seq, at_ns=at_s * 1_000 * MS))
    tape = board.snapshot().state.tape
    assert tape == wire.Tape(day="2010-01-07", seq=7, day_s=2.0)


def test_what_is_sent_is_json_that_a_page_can_read(board: Board) -> None:
    board.close(close(4))
    board.fill(fill(1))
    sent = msgspec.json.decode(msgspec.json.encode(board.snapshot()))
    assert (sent["t"], sent["environment"], sent["tier"]) == ("snapshot", "daily", "daily")
    assert sent["state"]["points"]["equity"] == [999_995.0]
    delta = board.take()
    assert msgspec.json.decode(msgspec.json.encode(delta))["t"] == "delta"
