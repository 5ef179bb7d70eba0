from __future__ import annotations

import pytest

from opsctl.drills.effects import Disturbed, Effect, Places, effect, everything, links_of
from opsctl.drills.kinds import (
    AnyFault,
    Clock,
    Cut,
    Delay,
    Drop,
    EngineLoss,
    Fill,
    Freeze,
    HandOver,
    Kill,
    Lose,
    Loss,
    Memory,
    Reject,
    Slow,
    Throttle,
    Trickle,
    Unplug,
)
from opsctl.drills.schedule import Step, last_blow, steps
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.topology import Link
from opsctl.targets.beneath import Uplink

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
ROLES = {"leader": "b", "follower": "a"}
PLACES = Places(SERVICES, LINKS, ROLES)
WIRED = Places(SERVICES, LINKS, ROLES, no_uplinks="")
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
        (
            Fill(of="memory", site="leader", services=("etcd",), hold_s=1),
            {"full": ("etcd@b",), "in_memory": True},
        ),
        (
            Memory(site="leader", services=("etcd",), limit_mb=24, hold_s=1),
            {"starved": ("etcd@b",), "limit_mb": 24},
        ),
        (
            Slow(site="leader", services=("etcd",), writes_per_s=8, hold_s=1),
            {"slowed": ("etcd@b",), "writes_per_s": 8},
        ),
        (EngineLoss(containers="end", hold_s=1), {"engine": ("end",)}),
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


@pytest.mark.parametrize(
    ("fault", "packets", "instead"),
    [
        (Unplug(site="b", hold_s=1), Uplink(down=True), Disturbed(cut=True)),
        (Reject(site="b", hold_s=1), Uplink(reject=True), Disturbed(cut=True)),
        (
            Throttle(site="leader", kbit_per_s=80, hold_s=1),
            Uplink(kbit_per_s=80),
            Disturbed(bytes_per_s=10_000),
        ),
    ],
)
def test_an_uplink_is_one_thing_or_stands_for_every_link_of_its_place(
    fault: AnyFault, packets: Uplink, instead: Disturbed
) -> None:
    assert effect(fault, WIRED).links == {"b-uplink": packets}
    names = ("a-b-etcd", "b-a-etcd", "a-b-peer")
    assert effect(fault, PLACES).links == dict.fromkeys(names, instead)


def test_packets_are_lost_only_where_there_are_packets() -> None:
    fault = Loss(site="leader", percent=10, loses="to", hold_s=1)
    lossy = {"b-uplink": Uplink(loss_percent=10, loses="to")}
    assert effect(fault, WIRED).links == lossy
    with pytest.raises(OpsctlError, match="the uplink of b cannot lose packets: places are"):
        effect(fault, PLACES)


def test_an_uplink_bears_every_fault_that_stands_on_it() -> None:
    faults: list[AnyFault] = [
        Loss(site="b", percent=10, loses="to", hold_s=1),
        Throttle(site="b", kbit_per_s=900, hold_s=1),
        Loss(site="b", percent=5, loses="from", hold_s=1),
        Throttle(site="b", kbit_per_s=300, hold_s=1),
    ]
    both = Uplink(loss_percent=10, loses="both", kbit_per_s=300)
    assert links_of([effect(fault, WIRED) for fault in faults]) == {"b-uplink": both}


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
        Memory(site="a", services=("execution",), limit_mb=24, hold_s=1),
        EngineLoss(hold_s=1),
    ]
    assert everything([effect(f, PLACES) for f in faults], NOTHING) == Underway(
        run="r",
        scenario="s",
        frozen=("execution@b",),
        down=("etcd@a", "execution@a"),
        cut=("a-market-fix",),
        full=("etcd@b",),
        starved=("execution@a",),
        engine=("live",),
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


def test_what_leads_outside_is_disturbed_by_itself() -> None:
    out = Link(dialer="b", to="outside", kind="books")
    places = Places(SERVICES, (*LINKS, out), ROLES)
    assert places.between("leader", "outside", ["books"]) == (out,)
    with pytest.raises(OpsctlError):
        places.between("follower", "outside", [])
