from __future__ import annotations

import msgspec

from apps.core.records import DecisionTaken, Outcome, Verdict
from apps.execution.apply import apply
from apps.execution.events import Decided, Reported, SessionChanged, Silent
from apps.execution.said import digest
from apps.execution.standby import Divergence, Standby
from apps.execution.state import State
from tests.unit.execution.made import decision, fill, intent, led, report

DROP = "OPS-B-DROP"


def standby() -> Standby:
    return Standby("1-0", {DROP: 10})


def journal(state: State, *ids: str, seq: int = 7) -> None:
    made = decision(*(intent(name) for name in ids), seq=seq)
    apply(
        state,
        DecisionTaken(
            decision=made,
            digest=digest(made),
            source="900-0",
            outcome=Outcome.ACCEPTED,
            verdicts=tuple(Verdict(intent=name, accepted=True) for name in ids),
            received_ns=1,
        ),
    )


def test_what_the_leader_journals_is_dropped_and_the_rest_is_kept() -> None:
    kept, state = standby(), led()
    first, second = decision(intent("s-7-AAPL-0")), decision(intent("s-8-AAPL-0"), seq=8)
    kept.take(Decided("5-0", first, 1))
    kept.take(Decided("6-0", msgspec.structs.replace(second, expires_seq=8), 1))
    journal(state, "s-7-AAPL-0")
    assert kept.prune(state, market_seq=7) == []
    assert [one.source for one in kept.decisions] == ["6-0"]
    assert kept.intents == "5-0"


def test_other_content_under_a_journaled_id_is_a_divergence_told_once() -> None:
    kept, state = standby(), led()
    here = decision(intent("s-7-AAPL-0", qty=200))
    kept.take(Decided("5-0", here, 1))
    journal(state, "s-7-AAPL-0")
    found = kept.prune(state, market_seq=7)
    journaled = state.decisions["s-7"].digest
    assert found == [Divergence("s-7", journaled, digest(here))]
    assert (kept.prune(state, market_seq=7), kept.divergences) == ([], 1)
    assert not kept.decisions


def test_what_is_older_than_the_last_decision_or_expired_is_void() -> None:
    kept, state = standby(), led()
    journal(state, "s-7-AAPL-0")
    kept.take(Decided("5-0", decision(intent("s-6-AAPL-0"), seq=6, expires_seq=99), 1))
    kept.take(Decided("6-0", decision(intent("s-9-AAPL-0"), seq=9, expires_seq=8), 1))
    kept.prune(state, market_seq=9)
    assert not kept.decisions
    assert kept.intents == "6-0"


def test_reports_are_kept_until_the_journal_says_what_they_say() -> None:
    kept, state = standby(), led()
    journal(state, "s-7-AAPL-0")
    new, filled = report(session=DROP, seq=11), fill("E2", 100, 100, session=DROP, seq=12)
    kept.take(Reported(new))
    kept.take(Reported(filled))
    kept.prune(state, market_seq=7)
    assert list(kept.reports) == [new, filled]
    assert kept.inbound == {DROP: 10}
    apply(state, report(seq=2))
    kept.prune(state, market_seq=7)
    assert list(kept.reports) == [filled]
    assert kept.inbound == {DROP: 11}
    apply(state, fill("E2", 100, 100, seq=3))
    kept.prune(state, market_seq=7)
    assert kept.inbound == {DROP: 12}


def test_a_takeover_begins_with_reports_then_sessions_then_decisions() -> None:
    kept = standby()
    one = Decided("5-0", decision(intent()), 1)
    for event in (one, SessionChanged(DROP, up=True), Silent(("x",)), Reported(report())):
        kept.take(event)
    kept.take(SessionChanged("OPS-B-ORD", up=True))
    kept.take(SessionChanged(DROP, up=False))
    assert kept.takeover() == [Reported(report()), SessionChanged("OPS-B-ORD", up=True), one]
