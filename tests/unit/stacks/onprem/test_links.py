"""Links and floating addresses: what servers are to hold, and what of it is not so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opsctl.model.links import Link
from opsctl.model.onprem import OnpremSettings
from opsctl.model.profile.own import Changed, Own
from opsctl.model.tiers import LatencyTier
from opsctl.provision.choosing import Chosen
from opsctl.provision.failing import Failure
from opsctl.provision.wiring import End, Held, Pings, Seen, State, Wires
from stacks.onprem import floating, link, links
from stacks.onprem.design import design

OWNER = "rack 6b896021"
SAID = OnpremSettings.model_validate(
    {
        "user": "ops",
        "racks": {"r1": {"site": "a"}},
        "servers": {
            "one": {"rack": "r1", "address": "10.0.0.1"},
            "two": {"rack": "r1", "address": "10.0.0.2", "role": "spare"},
        },
        "links": {
            "between": {
                "use": "inter-site",
                "ends": {
                    "one": {
                        "interface": "eth1",
                        "address": "10.9.0.0/31",
                        "routes": ["10.20.0.0/16"],
                    },
                    "two": {"interface": "eth2", "address": "10.9.0.1/31"},
                },
                "mtu": 9000,
                "within_us": 50,
            }
        },
        "addresses": {
            "desk": {
                "address": "10.0.0.9",
                "holder": "one",
                "interfaces": {"one": "eth0", "two": "eth0"},
            }
        },
    }
)
SERVERS = {
    one.name: one
    for one in design(
        "rack", SAID, dict.fromkeys(SAID.servers, Chosen(name="weekly", tier=LatencyTier.WEEKLY))
    ).servers
}
WIRING = links.wiring(SAID, LatencyTier.WEEKLY, SERVERS)
# The engine gives numbers back with a point.
LINK: dict[str, Any] = {**WIRING.links[0].properties(), "owner": OWNER, "mtu": 9000.0, "drift": {}}
DESK: dict[str, Any] = {**WIRING.addresses[0].properties(), "owner": OWNER, "drift": {}}

FINE = Pings(least_us=20.5, median_us=31.0, lost=0, passes="")
STATE = {
    "one": State(
        up=True, mtu=9000, addresses=("10.9.0.0/31",), routes=("10.20.0.0/16 via 10.9.0.1",)
    ),
    "two": State(up=True, mtu=9000, addresses=("10.9.0.1/31",), routes=()),
}
AWAY = Failure(stage="connect", message="10.0.0.1 port 22: does not answer", hint="up?")


def seen(
    states: dict[str, State | None] | None = None,
    pings: Pings | None = FINE,
    carrier: bool = True,
    owner: str = OWNER,
) -> Seen:
    there = {**STATE, **(states or {})}
    wires = {
        name: Wires(
            owner=owner,
            topics=("link-between",),
            links={"between": End(state=state, carrier=carrier, pings=pings)},
            addresses={},
        )
        for name, state in there.items()
    }
    return Seen(wires=wires, failures={})


def held(one: bool, two: bool, *others: str, answers: bool = True) -> Seen:
    """Return a reading of the address: who holds it, and which strangers answer for it."""
    macs = {"one": "52:00:00:00:00:01", "two": "52:00:00:00:00:02"}
    has = {"one": one, "two": two}
    wires = {
        name: Wires(
            owner=OWNER,
            topics=(),
            links={},
            addresses={
                "desk": Held(
                    held=has[name],
                    others=(*(macs[each] for each in macs if has[each] and each != name), *others),
                    macs=(macs[name],),
                )
            },
        )
        for name in macs
    }
    failures = {}
    if not answers:
        del wires["one"]
        failures["one"] = AWAY
    return Seen(wires=wires, failures=failures)


def test_each_server_is_to_hold_its_own_end() -> None:
    wanted = links.ends(LINK)
    assert list(wanted) == ["one", "two"]
    (one,) = wanted["one"]["link"]
    assert one["at"] == "eth1"
    assert json.loads(one["want"]) == {
        "up": True,
        "mtu": 9000,
        "addresses": ["10.9.0.0/31"],
        "routes": ["10.20.0.0/16 via 10.9.0.1"],
    }
    assert links.asked_of_links({"between": LINK})["two"]["opsctl_links"] == [
        {
            "name": "between",
            "interface": "eth2",
            "source": "10.9.0.1",
            "peer": "10.9.0.0",
            "mtu": 9000,
        }
    ]


def test_one_holds_an_address_and_the_others_are_to_have_none() -> None:
    wanted = {name: said["address"][0] for name, said in links.holds(DESK).items()}
    assert (wanted["one"]["at"], wanted["one"]["want"]) == ("eth0 10.0.0.9", "held")
    assert wanted["two"]["want"] == "absent"


def test_a_port_that_answers_nothing_is_not_asked() -> None:
    port = {"address": "192.0.2.1", "answers": False}
    ends = {"one": {"interface": "eth3", "address": "192.0.2.2/30"}}
    said = SAID.model_copy(
        update={"links": {"md": Link.model_validate({"ends": ends, "port": port})}}
    )
    (made,) = links.wiring(said, LatencyTier.HFT, SERVERS).links
    asked = links.asked_of_links({"md": made.properties()})
    assert asked["one"]["opsctl_links"][0]["peer"] == ""
    assert made.within_us == 10


@pytest.mark.parametrize(
    ("use", "tier", "within_us"),
    [
        ("inter-site", LatencyTier.INTRADAY, 10_000),
        ("inter-site", LatencyTier.HFT, 0),
        ("order-entry", LatencyTier.HFT, 10),
    ],
)
def test_a_round_trip_is_within_what_the_tier_promises(
    use: str, tier: LatencyTier, within_us: int
) -> None:
    one = SAID.links["between"].model_copy(update={"use": use, "within_us": None})
    assert links.within_us(one, tier) == within_us


def test_a_profile_that_wants_another_mtu_is_told_before_both_set_it_in_turn() -> None:
    def contested(own: Own | None) -> list[str]:
        hft = Chosen(name="hft", tier=LatencyTier.HFT, own=own)
        servers = {n: one.model_copy(update={"profile": hft}) for n, one in SERVERS.items()}
        return list(links.contested(links.wiring(SAID, LatencyTier.HFT, servers)))

    one, two = contested(None)
    assert one == (
        "link between has an MTU of 9000, and profile hft of one wants 1500 of eth1 "
        "(sysfs.{nic}.mtu)"
    )
    assert "of two wants 1500 of eth2" in two
    own = Own(extends=LatencyTier.HFT)
    assert len(contested(own.model_copy(update={"trading_nics": ("eth1",)}))) == 1
    assert contested(own.model_copy(update={"off": {"sysfs.{nic}.mtu": "by link"}})) == []
    jumbo = Changed(want="9000", why="our network has jumbo frames")
    assert contested(own.model_copy(update={"settings": {"sysfs.{nic}.mtu": jumbo}})) == []
    assert list(links.contested(WIRING)) == []


def test_a_link_that_is_as_declared_is_left_alone() -> None:
    after = link.observed(LINK, seen())
    assert after["drift"] == {}
    assert after["round_trip"] == {"median_us": 31.0, "least_us": 20.5}
    assert not link.differs(after, {**LINK, "mtu": 9000})
    slower = FINE.model_copy(update={"median_us": 49.0})
    assert link.observed(after, seen(pings=slower))["round_trip"]["median_us"] == 31.0


@pytest.mark.parametrize(
    ("reading", "entry", "said"),
    [
        (seen({"one": None}), "one.interface", "none (wanted eth1)"),
        (
            seen({"one": STATE["one"].model_copy(update={"mtu": 1500})}),
            "one.mtu",
            "1500 (wanted 9000)",
        ),
        (
            seen({"one": STATE["one"].model_copy(update={"routes": ()})}),
            "one.routes",
            "none (wanted 10.20.0.0/16 via 10.9.0.1)",
        ),
        (
            seen({"two": STATE["two"].model_copy(update={"addresses": ("10.9.0.7/31",)})}),
            "two.addresses",
            "10.9.0.7/31 (wanted 10.9.0.1/31)",
        ),
        (
            seen({"two": STATE["two"].model_copy(update={"up": False})}, pings=None),
            "two.up",
            "down (wanted up)",
        ),
        (seen(carrier=False, pings=None), "one.carrier", "none: is the cable plugged in"),
        (
            seen(
                pings=FINE.model_copy(update={"passes": "packets of 9000 bytes do not come back"})
            ),
            "one.passes",
            "packets of 9000 bytes do not come back",
        ),
        (
            seen(pings=FINE.model_copy(update={"median_us": 51.5})),
            "one.round_trip_us",
            "51.5 (wanted at most 50)",
        ),
        (seen(pings=FINE.model_copy(update={"lost": 20})), "one.answers", "10.9.0.1 answers no"),
        (seen(pings=FINE.model_copy(update={"lost": 3})), "one.lost", "3 of 20 pings"),
        (seen(owner="other 77"), "one.claim", "held by other 77"),
        (
            Seen(wires={"two": seen().wires["two"]}, failures={"one": AWAY}),
            "one.reached",
            "unknown: 10.0.0.1 port 22",
        ),
    ],
)
def test_what_of_a_link_is_not_so_is_named(reading: Seen, entry: str, said: str) -> None:
    after = link.observed(LINK, reading)
    assert said in after["drift"][entry]
    assert link.differs(after, LINK)


def test_of_a_wrong_size_the_cause_is_told_and_not_what_follows() -> None:
    wrong = STATE["one"].model_copy(update={"mtu": 1500})
    late = FINE.model_copy(update={"passes": "packets of 9000 bytes do not come back"})
    assert list(links.of_link(LINK, seen({"one": wrong}, pings=late))) == ["one.mtu"]


def test_an_address_is_held_by_its_holder_alone() -> None:
    assert links.of_address(DESK, held(True, False)) == {}
    said = {
        "both": links.of_address(DESK, held(True, True))["holder"],
        "other": links.of_address(DESK, held(False, True))["holder"],
        "nobody": links.of_address(DESK, held(False, False))["holder"],
    }
    assert said == {
        "both": "one and two (wanted one alone)",
        "other": "two (wanted one)",
        "nobody": "nobody (wanted one)",
    }


def test_a_stranger_that_answers_for_an_address_is_named() -> None:
    found = links.of_address(DESK, held(True, False, "02:aa:00:00:00:09"))
    assert found == {"answers": "02:aa:00:00:00:09 answers for it too"}


def test_of_a_holder_that_is_gone_nobody_says_that_it_holds_nothing() -> None:
    found = links.of_address(DESK, held(True, False, answers=False))
    assert found["one.reached"].startswith("unknown: ")
    assert "holder" not in found
    assert floating.differs({**DESK, "drift": found}, DESK)
    assert floating.differs(DESK, {**DESK, "holder": "two"})
    assert not floating.differs(DESK, dict(DESK))
