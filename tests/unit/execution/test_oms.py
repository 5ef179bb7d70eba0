from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.messages import OrderState, Side
from apps.core.records import ReportKind, ReportSeen
from apps.execution import oms
from apps.execution.oms import Answer
from apps.execution.order import End, Order
from tests.unit.execution.made import SESSION, fill, order, report, unknown


@st.composite
def histories(draw: st.DrawFn) -> list[ReportSeen]:
    """Everything that a venue says about one order of 100 shares, in its order."""
    told, cum = [report()], 0
    for number in range(draw(st.integers(0, 4))):
        qty = draw(st.integers(1, 100 - cum)) if cum < 100 else 0
        if qty:
            cum += qty
            told.append(fill(f"E{number}", qty, cum))
    if cum < 100 and (ending := draw(st.sampled_from(["", "4", "C"]))):
        told.append(report(exec_type=ending, ord_status=ending, cum_qty=cum))
    status = told[-1].ord_status
    told.append(report(exec_type="I", ord_status=status, cum_qty=cum))
    return told


def after(reports: list[ReportSeen], start: Order | None = None) -> tuple[Order, int]:
    one, booked = start or order(), 0
    for seen in reports:
        step = oms.report(one, seen)
        one, booked = step.order, booked + (step.execution.qty if step.execution else 0)
    return one, booked


@given(histories(), st.data())
def test_repeated_and_reordered_reports_lead_to_the_same_order(
    told: list[ReportSeen], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=10))
    shuffled = data.draw(st.permutations(told + repeats))

    in_order, booked = after(told)
    anyhow, booked_anyhow = after(shuffled)

    assert anyhow == in_order
    assert booked_anyhow == booked == in_order.cum_qty
    assert in_order.notional == booked * Decimal("10.0000")


@given(histories(), st.data())
def test_at_any_moment_the_reservation_covers_what_the_venue_may_do(
    told: list[ReportSeen], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(told))
    executed = told[-1].cum_qty
    live = told[-1].ord_status in {"0", "1"}
    one, settled = order(), False
    for seen in shuffled:
        one = oms.report(one, seen).order
        assert one.leaves >= 0
        assert one.cum_qty <= 100
        assert one.cum_qty + one.leaves >= (100 if live else executed)
        assert not settled or one.settled, "settled is final"
        settled = one.settled
    assert settled is not live


@pytest.mark.parametrize(("status", "cum"), [("1", 40), ("2", 100), ("4", 60)])
def test_what_is_filled_and_not_booked_is_in_doubt(status: str, cum: int) -> None:
    answered = report(exec_type="I", ord_status=status, cum_qty=cum)
    told = oms.report(oms.report(order(), report()).order, answered).order
    assert (told.state, told.missing, told.settled) == (OrderState.IN_DOUBT, cum, False)


def test_a_status_that_shows_more_filled_than_booked_blocks_settlement() -> None:
    told = oms.report(order(), report(exec_type="I", ord_status="4", cum_qty=60)).order
    assert (told.state, told.missing, told.leaves) == (OrderState.IN_DOUBT, 60, 60)

    booked, _ = after([fill("E1", 60, 60)], told)
    assert (booked.state, booked.leaves, booked.cum_qty) == (OrderState.CANCELED, 0, 60)


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([], OrderState.PENDING_NEW),
        ([report()], OrderState.NEW),
        ([fill("E1", 40, 40)], OrderState.PARTIALLY_FILLED),
        ([fill("E1", 40, 40), fill("E2", 60, 100)], OrderState.FILLED),
        ([report(exec_type="8", ord_status="8", text="no")], OrderState.REJECTED),
        ([report(exec_type="C", ord_status="C")], OrderState.EXPIRED),
        ([report(exec_type="4", ord_status="4")], OrderState.CANCELED),
        ([report(kind=ReportKind.REJECT, text="what?")], OrderState.REJECTED),
    ],
)
def test_states(reports: list[ReportSeen], state: OrderState) -> None:
    assert after(reports)[0].state is state


def test_unknown_and_duplicate_are_no_rejections() -> None:
    duplicate = report(exec_type="8", ord_status="8", reason_code=6)
    assert oms.answer(unknown()) is Answer.UNKNOWN
    assert oms.answer(duplicate) is Answer.DUPLICATE
    assert not oms.report(order(), unknown()).order.settled
    told = oms.report(order(), duplicate).order
    assert (told.state, told.leaves) == (OrderState.IN_DOUBT, 100)


def test_a_declined_order_that_is_accepted_after_all_is_adopted() -> None:
    declined = oms.declined(oms.in_doubt(order(), cut=SESSION), "expired")
    assert (declined.state, declined.leaves) == (OrderState.REJECTED, 0)
    late = oms.report(declined, report()).order
    assert (late.state, late.leaves) == (OrderState.NEW, 100)


def test_an_order_held_in_doubt_stays_reserved() -> None:
    held = oms.held(oms.in_doubt(order(), cut=""), "no fence")
    assert (held.state, held.leaves, held.settled) == (OrderState.IN_DOUBT, 100, False)


def test_a_withheld_second_entry_is_in_doubt_and_a_first_one_is_not() -> None:
    assert oms.withheld(order(), "halted", SESSION).state is OrderState.REJECTED
    again = oms.reentered(oms.in_doubt(order(), cut=SESSION), SESSION)
    kept_back = oms.withheld(again, "halted", SESSION)
    assert kept_back.state is OrderState.IN_DOUBT
    assert kept_back.stranded, "and it did not leave by the way that it was kept back from"


def test_an_order_is_stranded_where_every_session_that_it_left_on_was_cut() -> None:
    here, there = order(), "OPS-B-ORD"
    again = oms.reentered(oms.in_doubt(here, cut=""), there)
    assert (again.session, again.elsewhere, again.ways) == (SESSION, True, (SESSION, there))
    first = oms.in_doubt(again, cut=SESSION)
    assert not first.stranded
    assert not oms.in_doubt(again, cut=there).stranded
    assert oms.in_doubt(first, cut=there).stranded
    back = oms.reentered(first, SESSION)
    assert (back.session, back.ways, back.stranded) == (SESSION, (there, SESSION), False)


def test_more_executed_than_asked_for_is_booked_and_told() -> None:
    full, _ = after([fill("E1", 100, 100)])
    step = oms.report(full, fill("E2", 5, 105))
    assert step.oddity == "overfilled"
    assert (step.order.cum_qty, step.order.leaves) == (105, 0)
    assert step.order.state is OrderState.FILLED


def test_a_broken_trade_needs_a_person() -> None:
    step = oms.report(order(), report(exec_type="H", ord_status="0"))
    assert (step.oddity, step.order) == ("unhandled", order())


def test_an_order_first_seen_at_the_venue_is_adopted_with_its_executions() -> None:
    seen = fill("E1", 40, 40, order="stranger", side=Side.SELL)
    adopted = oms.adopted(seen)
    assert adopted is not None
    booked = oms.report(adopted, seen).order
    assert (booked.cum_qty, booked.side, booked.leaves) == (40, Side.SELL, 60)
    assert oms.adopted(unknown(order="stranger")) is None
    assert oms.adopted(report(order="stranger", exec_type="8", ord_status="8")) is None


def test_a_cancel_reject_ends_the_cancel_and_not_the_order() -> None:
    open_order = oms.cancelling(oms.report(order(), report()).order, "c1")
    assert open_order.state is OrderState.PENDING_CANCEL
    rejected = oms.report(open_order, report(kind=ReportKind.CANCEL_REJECT, reason_code=0)).order
    assert rejected.state is OrderState.NEW


def test_the_same_key_of_another_day_is_another_execution() -> None:
    one, booked = after([fill("E1", 40, 40), fill("E1", 40, 80, day="2010-01-06")])
    assert (booked, one.cum_qty) == (80, 80)
    assert len(one.booked) == 2
    assert msgspec.json.decode(msgspec.json.encode(one), type=Order) == one


@given(
    st.builds(
        order,
        cum_qty=st.integers(0, 120),
        claimed=st.integers(0, 120),
        end=st.sampled_from(End),
        doubt=st.booleans(),
        acknowledged=st.booleans(),
        declined=st.sampled_from(["", "expired"]),
    )
)
def test_nothing_is_reserved_for_what_is_settled_and_all_that_is_left_for_what_is_not(
    one: Order,
) -> None:
    unsettled = one.missing if one.end is not End.NONE else one.qty - one.cum_qty
    assert one.leaves == (0 if one.settled else unsettled)
