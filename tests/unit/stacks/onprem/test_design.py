"""What an environment is on its servers."""

from __future__ import annotations

from opsctl.model.onprem import OnpremSettings, Rack, Server
from opsctl.model.profile.own import Changed, Own
from opsctl.model.tiers import LatencyTier
from opsctl.provision.choosing import Chosen
from stacks.onprem.boxes import selection
from stacks.onprem.design import design, wants

WEEKLY = Chosen(name="weekly", tier=LatencyTier.WEEKLY)
SAID = OnpremSettings(
    user="ops",
    key="/keys/ops",
    racks={"r1": Rack(site="a"), "w": Rack(site="witness")},
    servers={
        "one": Server(rack="r1", address="10.0.0.1", nics=("eth1",)),
        "two": Server(rack="r1", address="10.0.0.2", role="spare", user="root", port=2222),
        "three": Server(rack="w", address="10.0.0.3"),
    },
)
PROFILES = dict.fromkeys(SAID.servers, WEEKLY)


def test_servers_are_in_their_racks_with_what_all_share() -> None:
    made = design("rack", SAID, PROFILES)
    assert [[one.name for one in rack.servers] for rack in made.racks] == [
        ["one", "two"],
        ["three"],
    ]
    one, two, three = made.servers
    assert (one.role, two.role, three.role) == ("trading", "spare", "witness")
    assert (one.user, two.user, one.key) == ("ops", "root", "/keys/ops")


def test_nics_that_are_named_are_part_of_what_is_wanted() -> None:
    one, two, _ = design("rack", SAID, PROFILES).servers
    assert one.profile.own is not None
    assert one.profile.own.trading_nics == ("eth1",)
    assert wants(one.profile) != wants(two.profile)


def test_what_is_wanted_has_another_digest_with_another_setting() -> None:
    changed = Changed(want="5", why="ours")
    own = Own(extends=LatencyTier.WEEKLY, settings={"sshd.maxauthtries": changed})
    ours = Chosen(name="ours", tier=LatencyTier.WEEKLY, own=own)
    other = own.model_copy(update={"settings": {}})
    assert wants(ours) != wants(ours.model_copy(update={"own": other}))
    assert wants(ours) == wants(Chosen.model_validate_json(ours.model_dump_json()))


def test_a_profile_comes_back_from_the_state_as_it_went(tmp_path: object) -> None:
    """The engine gives every number back with a point, and leaves out what is nothing."""
    own = Own(extends=LatencyTier.WEEKLY, ssh_port=2222, time_servers=("10.1.1.1",))
    chosen = Chosen(name="ours", tier=LatencyTier.WEEKLY, own=own)
    one = design("rack", SAID, {**PROFILES, "two": chosen}).servers[1]
    kept = one.properties()
    assert "own" in kept["profile"]
    kept["profile"]["own"]["ssh_port"] = 2222.0
    kept["port"] = 2222.0
    from pathlib import Path

    host, profile = selection({"two": kept}, Path(str(tmp_path))).boxes["two"]
    assert profile == chosen
    assert (host.port, host.place) == (2222, "[10.0.0.2]:2222")
