from __future__ import annotations

import pytest

from opsctl.drills.effects import Disturbed, Effect, Places, effect, everything, links_of
from opsctl.drills.kinds import (
    AnyFault,
    Clock,
    Cut,
    Delay,
    Drop,
    Fill,
    Freeze,
    HandOver,
    Kill,
    Lose,
    Trickle,
)
from opsctl.drills.schedule import Step, last_blow, steps
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.topology import Link

SERVICES = [
    *(("execution", site) for site in "ab"),
    *(("etcd", site) for site in ("a", "b", "witness")),
    ("venue", "market"),
]
LINKS = (
    Link(dialer="a", to="b", kind="etcd"),
    Link(dialer="b", to="a", kind="etcd"),
    Link(dialer="a", to="b", kind="peer"),
    Link(dialer="a", to="witness", kind="journal"),
    Link(dialer="a", to="market", kind="fix"),
)
PLACES = Places(SERVICES, LINKS, {"leader": "b", "follower": "a"})
NOTHING = Underway(run="r", scenario="s")


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Kill(site="leader", services=("execution",)), {"killed": ("execution@b",)}),
        (Freeze(site="a", services=("etcd",), hold_s=1), {"frozen": ("etcd@a",)}),
        (Lose(site="follower", hold_s=1), {"down": ("execution@a", "etcd@a")}),
        (Lose(site="witness", services=("etcd",), hold_s=1), {"down": ("etcd@witness",)}),
        (Fill(site="leader", services=("etcd",), hold_s=1), {"full": ("etcd@b",)}),
        (
            Clock(site="leader", services=("etcd",), shift_s=-5, hold_s=1),
            {"stepped": ("etcd@b",), "shift_s": -5.0},
        ),
        (HandOver(), {"to": "a"}),
        (
            Cut(between=("leader", "follower"), links=("peer",), hold_s=1),
            {"links": {"a-b-peer": Disturbed(cut=True)}},
        ),
        (
            Delay(between=("a", "witness"), delay_ms=5, hold_s=1),
            {"links": {"a-witness-journal": Disturbed(delay_ms=5)}},
        ),
        (
            Trickle(between=("b", "a"), links=("peer",), bytes_per_s=500, hold_s=1),
            {"links": {"a-b-peer": Disturbed(bytes_per_s=500)}},
        ),
    ],
)
def test_a_fault_names_what_it_hits(fault: AnyFault, wanted: dict[str, object]) -> None:
    found = effect(fault, PLACES)
    assert {name: getattr(found, name) for name in wanted} == wanted
    rest = Effect(said="").model_dump(exclude={"said", "hold_s", *wanted})
    assert found.model_dump(include=set(rest)) == rest


def test_what_one_place_sends_is_swallowed_whoever_dials() -> None:
    found = effect(Drop(sender="leader", receiver="follower", links=("etcd",), hold_s=1), PLACES)
    assert found.links == {"a-b-etcd": Disturbed(drop="from"), "b-a-etcd": Disturbed(drop="to")}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Kill(site="moon", services=("etcd",)), "no place moon"),
        (Kill(site="witness", services=("execution",)), "witness has no execution"),
        (Cut(between=("follower", "moon"), hold_s=1), "no place moon"),
        (Cut(between=("leader", "witness"), hold_s=1), "no link between leader and witness"),
        (HandOver(to="moon"), "no place moon"),
    ],
)
def test_what_the_environment_lacks_is_said(fault: AnyFault, says: str) -> None:
    with pytest.raises(OpsctlError, match=says):
        effect(fault, PLACES)


def test_blows_and_ends_come_in_their_order_and_ends_before_blows() -> None:
    pulses = Freeze(site="a", services=("etcd",), hold_s=1, times=2, every_s=2)
    later = Lose(site="b", hold_s=5, after_s=1)
    planned = steps([effect(pulses, PLACES), effect(later, PLACES)])
    assert planned == [
        Step(0, True, 0, 0),
        Step(1, False, 0, 0),
        Step(1, True, 1, 0),
        Step(2, True, 0, 1),
        Step(3, False, 0, 1),
        Step(6, False, 1, 0),
    ]
    assert last_blow(planned) == 3
    killed = steps([effect(Kill(site="a", services=("etcd",)), PLACES)])
    assert killed == [Step(0, True, 0, 0)]


def test_pulses_are_told_of_with_their_rhythm() -> None:
    found = effect(Freeze(site="a", services=("etcd",), hold_s=0.5, times=3, every_s=2), PLACES)
    assert found.said == "SIGSTOP of etcd@a for 0.5 s, 3 times, every 2 s"


def test_a_fault_that_ends_leaves_what_others_still_hold() -> None:
    site = effect(Lose(site="a", hold_s=1), PLACES)
    member = effect(Lose(site="a", services=("etcd",), hold_s=2), PLACES)
    gone = everything([site], NOTHING).less(everything([member], NOTHING))
    assert gone.down == ("execution@a",)


def test_everything_that_will_be_broken_is_written_down() -> None:
    faults: list[AnyFault] = [
        Lose(site="a", services=("etcd",), hold_s=1),
        Lose(site="a", hold_s=1),
        Freeze(site="b", services=("execution",), hold_s=1),
        Fill(site="b", services=("etcd",), hold_s=1),
        Cut(between=("a", "market"), hold_s=1),
        Kill(site="b", services=("etcd",)),
    ]
    assert everything([effect(f, PLACES) for f in faults], NOTHING) == Underway(
        run="r",
        scenario="s",
        frozen=("execution@b",),
        down=("etcd@a", "execution@a"),
        cut=("a-market-fix",),
        full=("etcd@b",),
    )


def test_a_link_bears_every_fault_that_stands_on_it() -> None:
    cut = effect(Cut(between=("a", "b"), links=("peer",), hold_s=1), PLACES)
    slow = effect(Delay(between=("a", "b"), links=("peer",), delay_ms=7, hold_s=1), PLACES)
    deaf = effect(Drop(sender="a", receiver="b", links=("peer",), hold_s=1), PLACES)
    assert links_of([cut, slow, deaf]) == {"a-b-peer": Disturbed(cut=True, drop="to", delay_ms=7)}
    assert links_of([deaf, slow]) == {"a-b-peer": Disturbed(drop="to", delay_ms=7)}
    rates = [
        effect(Trickle(between=("a", "b"), links=("peer",), bytes_per_s=rate, hold_s=1), PLACES)
        for rate in (900, 500, 700)
    ]
    slowest = {"a-b-peer": Disturbed(delay_ms=7, bytes_per_s=500)}
    assert links_of([slow, *rates]) == links_of([*rates, slow]) == slowest
