from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.journal import Leadership
from apps.execution.election import (
    AbleChanged,
    Answered,
    Ask,
    Challenge,
    Election,
    Event,
    Heard,
    Lead,
    LeaderSeen,
    LinkChanged,
    Looked,
    Refused,
    Terms,
    Unanswered,
    step,
)

MS = 1_000_000
TERMS = Terms(owner="b/1", site="b", rank=1, detection_ns=100 * MS, beat_ns=10 * MS)
LEADER = Leadership(epoch=3, owner="a/1", site="a", at_ns=0)


def following(**changes: object) -> Election:
    """Return a follower that has just heard the leader, at 1,000 ms."""
    made = Election(
        terms=TERMS,
        leader=LEADER,
        leader_mod=5,
        heard_ns=1_000 * MS,
        looked_ns=1_000 * MS,
        link_up=True,
        able=True,
    )
    return msgspec.structs.replace(made, **changes)


def run(state: Election, *events: Event) -> tuple[Election, list[object]]:
    actions: list[object] = []
    for event in events:
        state, action = step(state, event)
        actions += [action] if action is not None else []
    return state, actions


def looks(start_ms: int, end_ms: int, every_ms: int = 10) -> list[Looked]:
    return [Looked(at * MS) for at in range(start_ms, end_ms + 1, every_ms)]


def test_a_leader_silent_for_the_detection_time_is_challenged_once() -> None:
    state, actions = run(following(), *looks(1_010, 1_200))
    assert actions == [Challenge()]
    assert state.asking


def test_not_before() -> None:
    assert run(following(), *looks(1_010, 1_090))[1] == []


def test_whatever_the_leader_writes_is_a_sign_of_life() -> None:
    events: list[Event] = []
    for look in looks(1_010, 2_000):
        events += [Heard(look.at_ns), look] if look.at_ns % (50 * MS) == 0 else [look]
    assert run(following(), *events)[1] == []


def test_a_closed_link_shortens_detection_to_two_heartbeats() -> None:
    cut: list[Event] = [LinkChanged(1_001 * MS, up=False)]
    assert run(following(), *cut, *looks(1_010, 1_020))[1] == []
    assert run(following(), *cut, *looks(1_010, 1_030))[1] == [Challenge()]


def test_a_leader_has_the_time_for_two_heartbeats_from_when_the_link_closed() -> None:
    """Until then it had no reason to write so often."""
    cut: list[Event] = [LinkChanged(1_024 * MS, up=False)]
    assert run(following(), *looks(1_010, 1_020), *cut, *looks(1_030, 1_040))[1] == []
    assert run(following(), *looks(1_010, 1_020), *cut, *looks(1_030, 1_050))[1] == [Challenge()]


def test_a_link_that_closes_late_lengthens_nothing() -> None:
    cut: list[Event] = [LinkChanged(1_095 * MS, up=False)]
    assert run(following(), *looks(1_010, 1_090), *cut, *looks(1_100, 1_100))[1] == [Challenge()]


def test_a_closed_link_never_replaces_detection() -> None:
    """A partition of the link alone: the heartbeats still come."""
    state, _ = run(following(), LinkChanged(1_001 * MS, up=False))
    events: list[Event] = []
    for look in looks(1_010, 2_000):
        events += [Heard(look.at_ns), look]
    assert run(state, *events)[1] == []


def test_a_link_that_never_was_up_shortens_nothing() -> None:
    state = following(link_up=False)
    assert run(state, LinkChanged(1_001 * MS, up=False), *looks(1_010, 1_090))[1] == []


def test_who_cannot_trade_does_not_challenge() -> None:
    state, actions = run(following(able=False), *looks(1_010, 1_300))
    assert actions == []
    assert run(state, AbleChanged(able=True), *looks(1_310, 1_310))[1] == [Challenge()]


def test_who_was_held_up_counts_the_silence_anew() -> None:
    state, actions = run(following(), Looked(1_010 * MS), Looked(1_400 * MS))
    assert actions == []
    assert run(state, *looks(1_410, 1_470))[1] == []
    assert run(state, *looks(1_410, 1_480))[1] == [Challenge()]


def test_a_lost_challenge_is_a_sign_of_life() -> None:
    state, _ = run(following(), *looks(1_010, 1_100))
    state, actions = run(state, Refused(1_103 * MS), *looks(1_110, 1_200))
    assert actions == []
    assert run(state, *looks(1_210, 1_210))[1] == [Challenge()]


def test_a_journal_that_was_away_is_asked_before_the_leader_is_challenged_again() -> None:
    """While it was away the leader could not be heard: its silence proves nothing."""
    state, _ = run(following(), *looks(1_010, 1_100))
    state, actions = run(state, Unanswered(), *looks(1_110, 1_110))
    assert actions == [Ask()]
    state, actions = run(state, Answered(1_150 * MS), *looks(1_160, 1_240))
    assert actions == []
    assert run(state, *looks(1_250, 1_250))[1] == [Challenge()]


def test_who_is_named_leads_by_its_own_challenge_or_by_a_handover() -> None:
    mine = Leadership(epoch=4, owner="b/1", site="b", at_ns=0)
    _, actions = run(following(), LeaderSeen(1_050 * MS, mine, 9))
    assert actions == [Lead(mine, 9)]


def test_an_older_sight_of_the_leader_key_changes_nothing() -> None:
    state = following()
    stale = Leadership(epoch=2, owner="b/1", site="b", at_ns=0)
    assert run(state, LeaderSeen(1_050 * MS, stale, 4)) == (state, [])


def test_a_new_leader_is_not_suspected_for_the_link_of_the_old_one() -> None:
    state, _ = run(following(), LinkChanged(1_001 * MS, up=False))
    new = Leadership(epoch=4, owner="c/1", site="c", at_ns=0)
    state, actions = run(state, LeaderSeen(1_010 * MS, new, 9), *looks(1_020, 1_100))
    assert actions == []
    assert state.due_ns == (1_010 + 100) * MS


@pytest.mark.parametrize(("rank", "waits_ms"), [(0, 0), (1, 3_000), (2, 6_000)])
def test_before_anybody_led_the_first_site_leads(rank: int, waits_ms: int) -> None:
    terms = msgspec.structs.replace(TERMS, rank=rank)
    state = following(terms=terms, leader=None, leader_mod=0)
    state, actions = run(state, *looks(1_000, 1_000 + max(waits_ms - 10, 0)))
    assert (actions == [Challenge()]) == (rank == 0)
    assert run(state, *looks(1_000 + waits_ms, 1_010 + waits_ms))[1][-1:] == (
        [Challenge()] if rank else []
    )


MANUAL = msgspec.structs.replace(TERMS, manual=True)


def test_where_takeover_is_manual_another_site_is_challenged_by_nobody() -> None:
    silent = following(terms=MANUAL)
    state, actions = run(silent, *looks(1_010, 3_000), LinkChanged(3_001 * MS, up=False))
    assert actions == []
    assert not silent.awaits_order(1_099 * MS)
    assert state.awaits_order(3_001 * MS)
    mine = Leadership(epoch=4, owner="b/1", site="b", at_ns=0)
    state, actions = run(state, LeaderSeen(3_010 * MS, mine, 9))
    assert actions == [Lead(mine, 9)]


def test_where_takeover_is_manual_a_site_goes_on_from_its_own_former_process() -> None:
    former = Leadership(epoch=3, owner="b/0", site="b", at_ns=0)
    state, actions = run(following(terms=MANUAL, leader=former), *looks(1_010, 1_200))
    assert actions == [Challenge()]
    assert not state.awaits_order(1_200 * MS)


def test_a_site_that_could_not_lead_awaits_no_order() -> None:
    assert not following(terms=MANUAL, able=False).awaits_order(3_000 * MS)


@pytest.mark.parametrize(("rank", "leads"), [(0, True), (1, False)])
def test_where_takeover_is_manual_the_first_site_alone_leads_first(rank: int, leads: bool) -> None:
    terms = msgspec.structs.replace(MANUAL, rank=rank)
    state = following(terms=terms, leader=None, leader_mod=0)
    assert run(state, *looks(1_010, 9_000, 100))[1] == ([Challenge()] if leads else [])


EVENTS = st.one_of(
    st.builds(Looked, at_ns=st.just(0)),
    st.builds(Heard, at_ns=st.just(0)),
    st.builds(LinkChanged, at_ns=st.just(0), up=st.booleans()),
    st.builds(AbleChanged, able=st.booleans()),
    st.builds(Refused, at_ns=st.just(0)),
    st.just(Unanswered()),
    st.builds(Answered, at_ns=st.just(0)),
)


@given(st.lists(st.tuples(st.integers(1, 40), EVENTS), max_size=60))
def test_a_leader_that_was_heard_within_two_heartbeats_is_never_challenged(
    script: list[tuple[int, Event]],
) -> None:
    state, now_ns, heard_ns, asking = following(), 1_000 * MS, 1_000 * MS, False
    for wait_ms, event in script:
        now_ns += wait_ms * MS
        if hasattr(event, "at_ns"):
            event = msgspec.structs.replace(event, at_ns=now_ns)
        if isinstance(event, Heard | Refused | Answered):
            heard_ns, asking = now_ns, False
        asking = asking and not isinstance(event, Unanswered)
        state, action = step(state, event)
        if action is not None:
            assert now_ns - heard_ns >= 2 * TERMS.beat_ns
            assert not asking, "one question at a time"
            asking = True
