"""What the venue's profile changes about an order: whom to believe, what may be sent again."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.fix_messages import Logout, Pair, Received
from apps.core.messages import OrderState
from apps.core.records import (
    CancelsRequested,
    DoubtOpened,
    DoubtSettled,
    EpochTaken,
    JournalRecord,
    ReportKind,
    ReportSeen,
)
from apps.execution import wire
from apps.execution.actions import AskStatus, Cancel, Send
from apps.execution.apply import apply
from apps.execution.decide import Stepped, step
from apps.execution.events import Decided, Event, KillSeen, Profile, Renewed, Reported, Silent
from apps.execution.state import State, decode, encode
from tests.unit.execution.made import ON, context, decision, intent, led, report, unknown

ORDER = "s-7-AAPL-0"


def refused(what: str = "D", **changes: Any) -> ReportSeen:
    made = {"kind": ReportKind.REJECT, "refused": what, "throttled": True, "ord_status": ""}
    return report(**made | {"exec_id": "", "exec_type": ""} | changes)


def given(*events: Event, **changes: Any) -> tuple[State, Stepped]:
    """Return the state after a decision was sent and events came, and the last step."""
    state = led()
    for event in (Decided("1-0", decision(intent()), 0), *events):
        stepped = step(state, [event], context(**changes))
    return state, stepped


def settled(records: list[JournalRecord]) -> list[str]:
    return [record.step for record in records if isinstance(record, DoubtSettled)]


def test_an_order_that_the_throttle_refused_is_entered_again_and_is_not_in_doubt() -> None:
    state, _ = given(Reported(refused()))
    assert state.orders[ORDER].state is OrderState.JOURNALED
    assert state.in_doubt() == []
    stepped = step(state, [Silent((ORDER,))], context())
    assert settled(stepped.records) == ["reenter"]
    assert [a for a in stepped.actions if isinstance(a, Send)] == [Send(ORDER, again=True)]
    assert state.orders[ORDER].state is OrderState.PENDING_NEW


def test_no_fence_is_needed_for_what_is_surely_not_there() -> None:
    _, stepped = given(
        Reported(refused()), Silent((ORDER,)), profile=Profile(duplicate_check="none")
    )
    assert settled(stepped.records) == ["reenter"]


def test_what_risk_or_the_kill_switch_refuses_meanwhile_is_not_entered_again() -> None:
    state, _ = given(Reported(refused()))
    stepped = step(state, [Silent((ORDER,))], context(kill=ON))
    assert settled(stepped.records) == ["decline"]
    assert state.orders[ORDER].state is OrderState.REJECTED


def test_the_throttle_at_a_second_entry_proves_nothing_of_the_first() -> None:
    state, _ = given(Silent((ORDER,)), Reported(unknown(seq=3, asked=1)))
    assert state.orders[ORDER].sent == 2
    step(state, [Reported(refused(seq=4))], context())
    order = state.orders[ORDER]
    assert (order.sent, order.state) == (1, OrderState.IN_DOUBT)


def test_a_refusal_that_is_told_again_is_not_one_of_a_later_entry() -> None:
    state, _ = given(Reported(refused(seq=3)), Silent((ORDER,)))
    step(state, [Reported(refused(seq=3))], context())
    assert state.orders[ORDER].state is OrderState.PENDING_NEW


def test_a_question_that_the_throttle_refused_says_nothing_of_the_order() -> None:
    state, stepped = given(Silent((ORDER,)), Reported(refused("H", throttled=False)))
    assert stepped.records == []
    assert state.orders[ORDER].state is OrderState.IN_DOUBT


def test_a_cancel_that_the_throttle_refused_is_repeated_without_a_question() -> None:
    resting = report(seq=2)
    state, _ = given(Reported(resting))
    step(state, [Reported(refused("D", seq=3))], context())  # of a known order: nothing
    stepped = step(state, [KillSeen()], context(kill=ON))
    assert [a.cancel for a in stepped.actions if isinstance(a, Cancel)] == [f"{ORDER}.c1"]
    step(state, [Reported(refused("F", seq=4))], context(kill=ON))
    assert state.orders[ORDER].cancel
    stepped = step(state, [Silent((ORDER,))], context(kill=ON))
    assert [a.cancel for a in stepped.actions if isinstance(a, Cancel)] == [f"{ORDER}.c2"]
    assert not any(isinstance(a, AskStatus) for a in stepped.actions)


def test_a_cancel_on_a_session_that_may_not_is_left_to_the_other_site() -> None:
    state, _ = given(Reported(report(seq=2)))
    other = context(site="b", kill=ON, profile=Profile(cross_session_cancel=False))
    stepped = step(state, [KillSeen()], other)
    assert any(isinstance(r, CancelsRequested) for r in stepped.records)
    stepped = step(state, [Silent((ORDER,))], other)
    assert not any(isinstance(r, CancelsRequested) for r in stepped.records)


def test_a_duplicate_rejection_means_that_it_exists() -> None:
    rejected = report(exec_type="8", ord_status="8", reason_code=6, seq=3)
    state, stepped = given(Silent((ORDER,)), Reported(rejected))
    assert any(isinstance(a, AskStatus) for a in stepped.actions)
    # A venue that tells each session of its own orders alone does not know it: no absence.
    stepped = step(state, [Reported(unknown(seq=4, asked=1))], context())
    assert settled(stepped.records) == []
    assert state.orders[ORDER].state is OrderState.IN_DOUBT


@pytest.mark.parametrize(("scope", "step_"), [("firm", "decline"), ("session", "hold")])
def test_unknown_to_another_session_is_absence_only_where_it_would_be_told(
    scope: Any, step_: str
) -> None:
    """The order left on site a's session, which was renewed since; site b asks."""
    profile = Profile(duplicate_check="none", status_scope=scope)
    state, _ = given(profile=profile)
    at_b = context(site="b", profile=profile)
    taken = EpochTaken(epoch=2, owner="y", site="b", capital_usd=state.capital_usd, at_ns=0)
    apply(state, taken)
    stepped = step(state, [Renewed("OPS-A-ORD")], at_b)
    opened = [r.orders for r in stepped.records if isinstance(r, DoubtOpened)]
    assert opened == [(ORDER,)]
    assert step(state, [Renewed("OPS-A-ORD")], at_b).records == []
    answer = unknown(session="OPS-B-ORD", seq=1, asked=1)
    assert settled(step(state, [Reported(answer)], at_b).records) == [step_]


def test_the_session_of_a_snapshot_by_a_former_release_is_the_sites_own() -> None:
    state = led()
    state.session = ""
    assert decode(encode(state)).session == "OPS-A-ORD"


def message(*pairs: Pair) -> Received:
    return Received("OPS-A-ORD", "j", 5, False, pairs)


def test_the_words_of_a_throttle_are_read() -> None:
    told = message((372, "F"), (379, f"{ORDER}.c1"), (380, "0"), (58, "throttle: 5 a second"))
    seen = wire.report(told, venue="VENUE", received_ns=0)
    assert (seen.order, seen.refused, seen.throttled) == (ORDER, "F", True)
    told = message((372, "D"), (379, ORDER), (380, "3"), (58, "throttle"))
    assert not wire.report(told, venue="VENUE", received_ns=0).throttled


def test_the_number_that_a_counterparty_wants_is_read_from_its_words() -> None:
    said = "MsgSeqNum too low, expecting 4711 but received 1"
    assert Logout("OPS-A-ORD", said).expecting == 4711
    assert Logout("OPS-A-ORD", "logged on elsewhere").expecting == 0
