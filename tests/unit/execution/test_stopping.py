"""What a site cancels where it cannot reach the journal."""

from __future__ import annotations

from decimal import Decimal

from apps.core.records import CancelsRequested
from apps.execution.actions import Cancel
from apps.execution.decide import step
from apps.execution.events import Decided, KillSeen, Reported
from apps.execution.order import End
from apps.execution.state import State
from apps.execution.stopping import foreseen, plan
from tests.unit.execution.made import ON, SESSION, context, decision, fill, intent, led, report

A, B, C = (f"s-7-{symbol}-0" for symbol in ("AAPL", "MSFT", "GE"))


def given() -> State:
    """Return three journaled orders: the first accepted, the others not, as far as is journaled."""
    state = led()
    made = decision(
        intent(A),
        intent(B, symbol="MSFT", limit=Decimal(20)),
        intent(C, symbol="GE", limit=Decimal(50), qty=50),
    )
    step(state, [Decided("1-0", made, 0), Reported(report())], context())
    return state


def test_only_what_the_venue_is_known_to_have_is_cancelled() -> None:
    state = given()
    wanted = plan(state, lambda _: True)
    assert wanted.cancels == {A: f"{A}.c1"}
    assert wanted.in_doubt == (B, C)


def test_what_waits_to_be_journaled_counts_and_changes_no_state() -> None:
    state = given()
    late = report(order=B, symbol="MSFT", seq=3)
    ended = fill("E1", 100, 100, seq=4)
    ahead = foreseen(state, [late, ended])
    assert plan(ahead, lambda _: True).cancels == {B: f"{B}.c1"}
    assert not state.orders[B].exists
    assert state.orders[A].end is End.NONE
    assert state.orders[A].cum_qty == 0


def test_what_is_not_this_sites_to_cancel_is_left() -> None:
    wanted = plan(given(), lambda order: order.session != SESSION)
    assert (wanted.cancels, wanted.left) == ({}, (A,))


def test_a_journaled_cancel_is_the_same_request() -> None:
    """So that a second copy is refused as a duplicate, and never another request."""
    state = given()
    before = plan(state, lambda _: True).cancels
    stepped = step(state, [KillSeen()], context(kill=ON))
    assert Cancel(A, before[A]) in stepped.actions
    assert [r.cancels for r in stepped.records if isinstance(r, CancelsRequested)] == [before]
    assert plan(state, lambda _: True).cancels == before, "and repeated under the same id"


def test_an_order_that_the_cancel_ended_is_cancelled_no_more_by_the_halt() -> None:
    state = given()
    gone = report(seq=3, exec_id="X2", exec_type="4", ord_status="4")
    stepped = step(state, [Reported(gone), KillSeen()], context(kill=ON))
    assert not [r for r in stepped.records if isinstance(r, CancelsRequested)]
    assert state.orders[A].settled
