"""What speaks against a handover, case by case: one thing is off, and that is what is said."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from apps.core.journal import Beat, Leadership
from apps.core.sites import Handover, Overview, Presence
from opsctl.recovery.prechecks import Bounds, Facts, check, parted, reasons

NOW_NS = 1_800_000_000_000_000_000
MS = 1_000_000


def presence(site: str, **changes: Any) -> Presence:
    as_usual = Presence(
        site=site,
        owner=f"{site}-1",
        role="leader" if site == "a" else "follower",
        epoch=7,
        index=5_000,
        session_up=True,
        market_seq=1,
        intents="0-0",
        inbound={},
        divergences=0,
        settings="5e77",
        release="0.1.0",
        fault="",
        at_ns=NOW_NS - 50 * MS,
    )
    return msgspec.structs.replace(as_usual, **changes)


LEADER = Leadership(epoch=7, owner="a-1", site="a", at_ns=0)
SEEN = Overview(
    leader=LEADER,
    leader_mod=3,
    tail=5_000,
    presences={"a": presence("a"), "b": presence("b")},
    handover=None,
    handover_mod=0,
    revision=99,
    beat=Beat(epoch=7, owner="a-1", progress=1, kill_seen=1, at_ns=NOW_NS),
)
FACTS = Facts(
    environment="hot",
    sites=("a", "b"),
    witnesses=("witness",),
    to="b",
    tail=5_000,
    now_ns=NOW_NS,
    clocks={"a": Bounds(-5 * MS, 5 * MS), "b": Bounds(-5 * MS, 5 * MS)},
    beat_clock=Bounds(-5 * MS, 5 * MS),
    members={"a": "", "b": "", "witness": ""},
)


def seen(**changes: Any) -> Overview:
    return msgspec.structs.replace(SEEN, **changes)


def successor(**changes: Any) -> Overview:
    return seen(presences={"a": presence("a"), "b": presence("b", **changes)})


def facts(**changes: Any) -> Facts:
    return dataclasses.replace(FACTS, **changes)


ASKED = Handover(id="x", to="b", epoch=7, by="alice@desk", at_ns=NOW_NS)

CASES: dict[str, tuple[Overview, Facts, str, str]] = {
    "one site": (SEEN, facts(sites=("a",), witnesses=()), "sites", "hot has one site, a"),
    "nobody leads": (seen(leader=None, leader_mod=0), FACTS, "leader", "nobody leads"),
    "leads already": (
        seen(leader=msgspec.structs.replace(LEADER, site="b", owner="b-1")),
        FACTS,
        "already",
        "b leads already, in epoch 7",
    ),
    "an app that was started anew leads": (
        seen(leader=msgspec.structs.replace(LEADER, site="b", owner="b-0")),
        FACTS,
        "leader",
        "a former process of b",
    ),
    "a silent leader": (
        SEEN,
        facts(beat_clock=None),
        "leader",
        "a leads epoch 7 and sends no heartbeat",
    ),
    "a successor that was never seen": (
        seen(presences={"a": presence("a")}),
        FACTS,
        "presence",
        "the execution app of b was never seen",
    ),
    "a silent successor": (
        successor(at_ns=NOW_NS - 12_345 * MS),
        facts(clocks={"a": Bounds(0, 0)}),
        "presence",
        "12.3 s old",
    ),
    "no order session": (successor(session_up=False), FACTS, "session", "is not logged on"),
    "a fault of its own": (
        successor(fault="no market data"),
        FACTS,
        "fault",
        "b could not lead: no market data",
    ),
    "behind": (successor(index=4_799), FACTS, "behind", "201 records behind"),
    "a clock that is ahead": (
        SEEN,
        facts(clocks={"b": Bounds(106 * MS, 116 * MS)}),
        "clock",
        "at least 101 ms",
    ),
    "a clock that is behind": (
        SEEN,
        facts(clocks={"b": Bounds(-125 * MS, -110 * MS)}),
        "clock",
        "at least 105 ms",
    ),
    "the witness is away": (
        SEEN,
        facts(members={"a": "", "b": "", "witness": "UNAVAILABLE"}),
        "members",
        "the journal's member of witness does not answer (UNAVAILABLE)",
    ),
    "there is no witness": (
        SEEN,
        facts(members={"a": "", "b": ""}),
        "members",
        "the environment has none there",
    ),
    "other settings": (successor(settings="0ff"), FACTS, "settings", "a has 5e77, b has 0ff"),
    "another release": (
        successor(release="0.2.0"),
        FACTS,
        "release",
        "a runs 0.1.0, b runs 0.2.0",
    ),
    "another handover": (
        seen(handover=ASKED, handover_mod=9),
        FACTS,
        "handover",
        "asked for by alice@desk",
    ),
}


def test_nothing_speaks_against_what_is_as_it_should_be() -> None:
    assert check(SEEN, FACTS) == []


@pytest.mark.parametrize("case", CASES)
def test_what_is_off_is_named(case: str) -> None:
    overview, found, name, said = CASES[case]
    (refusal,) = reasons(check(overview, found))
    assert (refusal.check, refusal.checked) == (name, True)
    assert said in refusal.reason


@pytest.mark.parametrize(
    ("overview", "found"),
    [
        (successor(index=4_800), FACTS),
        (SEEN, facts(clocks={"b": Bounds(100 * MS, 130 * MS)})),
        (SEEN, facts(clocks={"b": Bounds(-400 * MS, 400 * MS)})),
    ],
)
def test_what_may_be_within_its_bounds_is_let_through(overview: Overview, found: Facts) -> None:
    assert check(overview, found) == []


def test_a_busy_journal_makes_no_follower_seem_behind() -> None:
    # The presence is newer than the tail that it is compared with, older than the overview's.
    assert check(seen(tail=9_000), FACTS) == []


def test_all_reasons_are_given_at_once() -> None:
    overview = successor(session_up=False, index=0, settings="0ff", release="0")
    found = facts(members={"a": "", "b": "gone", "witness": "gone"})
    assert [r.check for r in reasons(check(overview, found))] == [
        "session",
        "behind",
        "members",
        "members",
        "settings",
        "release",
    ]


def test_what_a_silence_keeps_from_being_checked_is_no_reason_of_its_own() -> None:
    against = check(seen(presences={"a": presence("a")}), FACTS)
    assert [r.check for r in reasons(against)] == ["presence"]
    unknown = {r.check for r in against if not r.checked}
    assert unknown == {"session", "fault", "behind", "clock", "settings", "release"}


def test_a_planned_handover_is_refused_where_the_leading_site_cannot_be_compared() -> None:
    against = reasons(check(seen(presences={"b": presence("b")}), FACTS))
    assert [(r.check, r.checked) for r in against] == [("settings", False), ("release", False)]


def test_an_emergency_is_forbidden_by_what_would_leave_nobody_leading() -> None:
    overview = successor(session_up=False)
    found = facts(beat_clock=None, beat_awaited=False)
    forbids, overridden, skipped = parted(check(overview, found))
    assert forbids == []
    assert [r.check for r in overridden] == ["session"]
    assert [r.check for r in skipped] == ["leader", "clock"]
    assert all(r.reason for r in skipped)
    forbids, _, skipped = parted(check(seen(presences={}), FACTS))
    assert [r.check for r in forbids] == ["presence"]
    assert {r.check for r in skipped} >= {"session", "behind"}


def test_an_emergency_does_not_depose_the_process_that_it_would_name() -> None:
    led = seen(leader=msgspec.structs.replace(LEADER, site="b", owner="b-1"))
    assert [r.check for r in parted(check(led, FACTS))[0]] == ["already"]
    anew = seen(leader=msgspec.structs.replace(LEADER, site="b", owner="b-0"))
    assert parted(check(anew, FACTS))[0] == []


@pytest.mark.parametrize(
    ("one", "other", "apart_ns"),
    [
        (Bounds(0, 10), Bounds(5, 20), 0),
        (Bounds(0, 10), Bounds(15, 20), 5),
        (Bounds(15, 20), Bounds(0, 10), 5),
    ],
)
def test_two_clocks_differ_by_what_is_sure(one: Bounds, other: Bounds, apart_ns: int) -> None:
    assert one.apart(other) == apart_ns
