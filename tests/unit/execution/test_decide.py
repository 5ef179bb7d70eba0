from __future__ import annotations

from typing import Any

import msgspec

from apps.core.messages import DecisionDone, Fill, OrderState, OrderType, OrderUpdate
from apps.core.records import (
    CancelsRequested,
    DecisionTaken,
    DivergenceSeen,
    DoubtOpened,
    DoubtSettled,
    EpochTaken,
    HaltSeen,
    OrdersWithheld,
    Outcome,
    ReportKind,
)
from apps.execution.actions import Alarm, AskStatus, Cancel, Publish, Send
from apps.execution.apply import apply
from apps.execution.decide import Stepped, step
from apps.execution.events import (
    Context,
    Decided,
    Dispatched,
    Event,
    KillSeen,
    Renewed,
    Reported,
    SessionChanged,
    Silent,
)
from apps.execution.said import digest
from apps.execution.state import State
from tests.unit.execution.made import (
    ON,
    SESSION,
    context,
    decision,
    fill,
    intent,
    led,
    report,
    unknown,
)

UP = SessionChanged(SESSION, up=True)
DOWN = SessionChanged(SESSION, up=False)


def took(*events: Event, state: State | None = None, given: Context | None = None) -> Any:
    """Return the state after events, and what came of the last of them."""
    state, stepped = state or led(), Stepped(records=[], actions=[], progress={})
    for event in events:
        state = state.fork()
        stepped = step(state, [event], given or context())
    return state, stepped


def arrived(made: Any = None) -> Decided:
    return Decided("5-0", made or decision(intent()), 1_000)


def actions(stepped: Stepped, kind: type) -> list[Any]:
    return [action for action in stepped.actions if isinstance(action, kind)]


def told(stepped: Stepped, kind: type) -> list[Any]:
    messages = [action.message for action in actions(stepped, Publish)]
    return [message for message in messages if isinstance(message, kind)]


def test_a_decision_is_journaled_with_its_verdicts_and_its_orders_are_sent() -> None:
    bad = intent("bad", symbol="NONE")
    state, stepped = took(UP, arrived(decision(intent(), bad)))
    (taken,) = stepped.records
    assert isinstance(taken, DecisionTaken)
    assert [v.accepted for v in taken.verdicts] == [True, False]
    assert actions(stepped, Send) == [Send("s-7-AAPL-0")]
    (refused,) = told(stepped, OrderUpdate)
    assert (refused.id, refused.state) == ("bad", OrderState.REJECTED)
    assert "no price" in refused.reason
    assert (state.source, state.last_decision) == ("5-0", {"s": 7})
    assert state.exposures()["AAPL"].buys == 100


def test_a_second_arrival_is_no_operation_and_another_content_is_divergence() -> None:
    state, _ = took(UP, arrived())
    _, again = took(arrived(), state=state)
    assert (again.records, again.actions) == ([], [])

    _, other = took(arrived(decision(intent(qty=99))), state=state)
    (seen,) = other.records
    assert isinstance(seen, DivergenceSeen)
    assert [d.verdict for d in told(other, DecisionDone)] == ["divergent"]
    assert not actions(other, Send)


def test_who_missed_that_a_decision_is_done_is_told_again() -> None:
    state, first = took(UP, arrived(decision()))
    assert [d.verdict for d in told(first, DecisionDone)] == ["done"]
    _, again = took(arrived(decision()), state=state)
    assert again.records == []
    assert [d.decision for d in told(again, DecisionDone)] == ["s-7"]


def test_the_digest_is_of_what_is_asked_for_and_not_of_when() -> None:
    one = decision(intent())
    assert digest(one) == digest(decision(intent(), targets={"AAPL": 1}, scores={"AAPL": 0.5}))
    assert digest(one) != digest(decision(intent(qty=101)))


def test_decisions_up_to_the_last_journaled_one_are_dropped_unrecorded() -> None:
    state, _ = took(UP, arrived())
    old = decision(intent("s-6-AAPL-0"), seq=6)
    _, stepped = took(arrived(old), state=state)
    assert stepped.records == []
    (done,) = told(stepped, DecisionDone)
    assert (done.verdict, done.decision) == ("refused", "s-6")


def test_a_malformed_decision_never_enters_the_journal() -> None:
    _, stepped = took(UP, arrived(decision(intent("a\x01b"))))
    assert stepped.records == []
    assert [alarm.kind for alarm in actions(stepped, Alarm)] == ["malformed_decision"]


def test_probes_are_dealt_with_whatever_was_decided_before() -> None:
    state, _ = took(UP, arrived())
    _, stepped = took(arrived(decision(intent("p1"), probe="p1", seq=3)), state=state)
    assert isinstance(stepped.records[0], DecisionTaken)
    assert stepped.records[0].outcome is Outcome.ACCEPTED


def test_probes_leave_positions_alone() -> None:
    state, _ = took(UP, arrived(decision(intent("p1"), probe="p1")))
    state, stepped = took(Reported(fill("E1", 100, 100, order="p1")), state=state)
    assert len(told(stepped, Fill)) == 1
    assert (state.portfolio.positions, state.last_decision) == ({}, {})


def test_a_fill_is_booked_once_whichever_session_tells_it() -> None:
    state, _ = took(UP, arrived())
    state, first = took(Reported(fill("E1", 100, 100, session="OPS-A-DROP", seq=4)), state=state)
    _, second = took(Reported(fill("E1", 100, 100, seq=9)), state=state)
    assert len(told(first, Fill)) == 1
    assert [d.verdict for d in told(first, DecisionDone)] == ["done"]
    assert (second.records, second.actions) == ([], [])
    assert second.progress == {SESSION: 9}
    assert state.portfolio.qty("AAPL") == 100


def test_a_disconnect_puts_what_is_unanswered_in_doubt_and_a_logon_asks() -> None:
    known = decision(
        intent("a"), intent("b", symbol="MSFT", limit=None, order_type=OrderType.MARKET)
    )
    state, _ = took(UP, arrived(known), Reported(report(order="a")))
    state, down = took(DOWN, state=state)
    (opened,) = [r for r in down.records if isinstance(r, DoubtOpened)]
    assert opened.orders == ("b",)
    state, up = took(UP, state=state)
    assert actions(up, AskStatus) == [AskStatus("a"), AskStatus("b")]


def test_an_order_that_was_journaled_behind_a_logout_is_cut_off_by_the_next_logon() -> None:
    """Found by the simulator: nothing had put it in doubt, and it stayed open for good."""
    state, _ = took(UP, DOWN, arrived())
    state, up = took(UP, state=state)
    (opened,) = [r for r in up.records if isinstance(r, DoubtOpened)]
    assert (opened.orders, opened.session) == (("s-7-AAPL-0",), SESSION)
    later = context(market=msgspec.structs.replace(context().market, seq=99))
    _, stepped = took(Reported(unknown(asked=1)), state=state, given=later)
    assert [r.step for r in stepped.records if isinstance(r, DoubtSettled)] == ["decline"]


def test_what_left_on_two_sessions_is_absent_where_both_were_cut() -> None:
    state, _ = took(UP, arrived(), DOWN, UP, Reported(unknown()))
    taken = EpochTaken(epoch=2, owner="y", site="b", capital_usd=state.capital_usd, at_ns=0)
    apply(state, taken)
    there = "OPS-B-ORD"
    later = msgspec.structs.replace(context().market, seq=99)
    given, now = context(site="b"), context(site="b", market=later)
    on = SessionChanged(there, up=True)
    state, _ = took(on, Reported(unknown(session=there, asked=2)), state=state, given=given)
    assert state.orders["s-7-AAPL-0"].ways == (SESSION, there)
    off = SessionChanged(there, up=False)
    state, _ = took(off, on, state=state, given=now)
    state, held = took(Reported(unknown(session=there, seq=3, asked=3)), state=state, given=now)
    assert [r.step for r in held.records if isinstance(r, DoubtSettled)] == ["hold"]
    state, _ = took(Renewed(SESSION), state=state, given=now)
    _, closed = took(Reported(unknown(session=there, seq=4, asked=3)), state=state, given=now)
    assert [r.step for r in closed.records if isinstance(r, DoubtSettled)] == ["decline"]


def test_unknown_is_entered_again_under_the_same_id_and_a_stale_answer_ignored() -> None:
    state, _ = took(UP, arrived(), DOWN, UP)
    state, stepped = took(Reported(unknown()), state=state)
    assert [r.step for r in stepped.records if isinstance(r, DoubtSettled)] == ["reenter"]
    assert actions(stepped, Send) == [Send("s-7-AAPL-0", again=True)]
    _, stale = took(Reported(unknown(seq=3)), state=state)
    assert not actions(stale, Send)
    assert not [r for r in stale.records if isinstance(r, DoubtSettled)]


def test_an_answer_from_before_the_last_entry_settles_nothing_however_late_it_comes() -> None:
    """Found by the model: resent after the day was over, it declined an order that had filled."""
    state, _ = took(UP, arrived(), DOWN, UP)
    state, _ = took(Reported(unknown(asked=1)), DOWN, UP, state=state)
    later = context(market=msgspec.structs.replace(context().market, seq=99, day="2010-01-06"))
    _, stale = took(Reported(unknown(seq=3, asked=1)), state=state, given=later)
    assert not stale.records
    _, fresh = took(Reported(unknown(seq=4, asked=2)), state=state, given=later)
    assert [r.step for r in fresh.records if isinstance(r, DoubtSettled)] == ["decline"]


def test_unknown_is_declined_when_halted_expired_or_beyond_risk() -> None:
    state, _ = took(UP, arrived(), DOWN, UP)
    later = context(market=context().market.__class__(seq=8, day="2010-01-05", prices={}))
    for given, reason in ((context(kill=ON), "halted by alice"), (later, "expired")):
        after, stepped = took(Reported(unknown()), state=state, given=given)
        (settled,) = [r for r in stepped.records if isinstance(r, DoubtSettled)]
        assert settled.step == "decline"
        assert reason in settled.reason
        assert after.orders["s-7-AAPL-0"].state is OrderState.REJECTED
        assert not actions(stepped, Send)


def test_an_order_in_doubt_without_a_cut_session_is_held_and_reserved() -> None:
    state, _ = took(UP, arrived(), Silent(("s-7-AAPL-0",)))
    state, stepped = took(Reported(unknown()), state=state, given=context(kill=ON))
    assert [r.step for r in stepped.records if isinstance(r, DoubtSettled)] == ["hold"]
    assert state.exposures()["AAPL"].buys == 100
    assert [alarm.kind for alarm in actions(stepped, Alarm)] == ["held_in_doubt"]
    _, again = took(Reported(unknown(seq=4)), state=state, given=context(kill=ON))
    assert not [r for r in again.records if isinstance(r, DoubtSettled)]


def test_a_late_acceptance_of_a_declined_order_is_adopted_and_cancelled() -> None:
    state, _ = took(UP, arrived(), DOWN, UP)
    state, _ = took(Reported(unknown()), state=state, given=context(kill=ON))
    state, stepped = took(Reported(report(seq=9)), state=state)
    assert actions(stepped, Cancel) == [Cancel("s-7-AAPL-0", "s-7-AAPL-0.c1")]
    assert [r.cause for r in stepped.records if isinstance(r, CancelsRequested)] == ["late"]
    assert state.exposures()["AAPL"].buys == 100


def test_a_duplicate_rejection_means_that_it_exists() -> None:
    state, _ = took(UP, arrived())
    duplicate = report(exec_type="8", ord_status="8", reason_code=6)
    state, stepped = took(Reported(duplicate), state=state)
    assert actions(stepped, AskStatus) == [AskStatus("s-7-AAPL-0")]
    answer = report(exec_type="I", ord_status="0", seq=3)
    state, _ = took(Reported(answer), state=state)
    assert state.orders["s-7-AAPL-0"].state is OrderState.NEW


def test_a_halt_cancels_what_is_open_and_what_opens_later() -> None:
    waiting = intent("b", symbol="MSFT", limit=None, order_type=OrderType.MARKET)
    state, _ = took(UP, arrived(decision(intent("a"), waiting)), Reported(report(order="a")))
    state, stepped = took(KillSeen(), state=state, given=context(kill=ON))
    assert isinstance(stepped.records[0], HaltSeen)
    assert actions(stepped, Cancel) == [Cancel("a", "a.c1")]
    assert state.halted
    _, later = took(Reported(report(order="b", seq=3)), state=state, given=context(kill=ON))
    assert actions(later, Cancel) == [Cancel("b", "b.c1")]
    _, again = took(KillSeen(), state=state, given=context(kill=ON))
    assert again.records == []


def test_a_rejected_cancel_is_not_repeated_until_the_session_was_cut() -> None:
    state, _ = took(UP, arrived(), Reported(report()))
    state, _ = took(KillSeen(), state=state, given=context(kill=ON))
    late = report(kind=ReportKind.CANCEL_REJECT, reason_code=0, seq=3)
    state, stepped = took(Reported(late), state=state, given=context(kill=ON))
    assert not actions(stepped, Cancel)

    state, _ = took(UP, arrived(), Reported(report()))
    state, _ = took(KillSeen(), state=state, given=context(kill=ON))
    _, stepped = took(DOWN, UP, state=state, given=context(kill=ON))
    assert actions(stepped, Cancel) == [Cancel("s-7-AAPL-0", "s-7-AAPL-0.c2")]


def test_a_withheld_order_is_rejected_with_the_reason() -> None:
    state, _ = took(UP, arrived())
    held_back = Dispatched(SESSION, 5, {}, {"s-7-AAPL-0": "halted by alice"})
    state, stepped = took(held_back, state=state)
    assert isinstance(stepped.records[0], OrdersWithheld)
    assert state.orders["s-7-AAPL-0"].state is OrderState.REJECTED
    assert [d.verdict for d in told(stepped, DecisionDone)] == ["done"]


def test_stamps_come_from_the_journal() -> None:
    state, _ = took(UP, arrived(), Dispatched(SESSION, 5, {"s-7-AAPL-0": 6}, {}))
    stamps = state.orders["s-7-AAPL-0"].stamps
    assert (stamps.received, stamps.journaled, stamps.sent) == (1_000, 5, 6)


def test_a_new_epoch_puts_what_is_unanswered_in_doubt_and_pays_capital_in_once() -> None:
    state, _ = took(UP, arrived())
    for epoch in (2, 3):
        capital = state.capital_usd
        taken = EpochTaken(epoch=epoch, owner="y", site="a", capital_usd=capital, at_ns=0)
        apply(state, taken)
    assert state.orders["s-7-AAPL-0"].state is OrderState.IN_DOUBT
    assert state.orders["s-7-AAPL-0"].stranded
    assert (state.up, state.portfolio.cash) == ({}, capital)


def test_another_sites_orders_are_not_stranded_by_our_logon() -> None:
    state, _ = took(UP, arrived())
    apply(state, EpochTaken(epoch=2, owner="y", site="b", capital_usd=state.capital_usd, at_ns=0))
    given = context(site="b", kill=ON)
    state, _ = took(SessionChanged("OPS-B-ORD", up=True), state=state, given=given)
    there = unknown(session="OPS-B-ORD")
    _, stepped = took(Reported(there), state=state, given=given)
    assert [r.step for r in stepped.records if isinstance(r, DoubtSettled)] == ["hold"]


def test_orders_of_strangers_are_adopted_and_nonsense_is_told() -> None:
    state, stepped = took(UP, Reported(fill("E9", 40, 40, order="stranger")))
    assert [alarm.kind for alarm in actions(stepped, Alarm)] == ["adopted"]
    assert state.portfolio.qty("AAPL") == 40
    _, stepped = took(UP, Reported(report(kind=ReportKind.CANCEL_REJECT, order="stranger")))
    assert [alarm.kind for alarm in actions(stepped, Alarm)] == ["unattributed"]
