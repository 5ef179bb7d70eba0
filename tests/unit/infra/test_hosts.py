"""The hosts that a stack hands out: what they are to the rest."""

from __future__ import annotations

from typing import Any

import pytest

from opsctl.errors import OpsctlError
from opsctl.infra.hosts import handed_out, inventory, placed
from opsctl.infra.results import Output
from opsctl.model import hosts
from opsctl.model.aws import AwsSettings
from opsctl.model.environment import Environment, TargetName
from opsctl.model.hosts import Way
from opsctl.model.tiers import DrTier, LatencyTier

REGION = "eu-central-1"
KEYS = {name: f"ssh-ed25519 {name[-1]}AAA" for name in ("trading-a", "trading-b", "witness")}


def outputs(by: str = "address", *sites: str) -> dict[str, Output]:
    listed = [
        {
            "name": "witness" if site == "witness" else f"trading-{site}",
            "role": "witness" if site == "witness" else "trading",
            "site": site,
            "region": REGION,
            "zone": f"{REGION}{end}",
            "address": f"10.64.{end}.10",
            "instance": f"i-0123456{end}",
            "volume": f"vol-0{end}",
            "reach": {"by": by, "user": "admin", "region": REGION},
        }
        for end, site in enumerate(sites or ("a", "b", "witness"))
    ]
    return {"hosts": Output(value=listed)}


def environment(tier: LatencyTier = LatencyTier.INTRADAY) -> Environment:
    return Environment(name="books", tier=tier, dr=DrTier.HOT, target=TargetName.DOCKER)


def test_each_site_is_on_its_host_and_known_by_its_key() -> None:
    found = placed(environment(), handed_out("books", outputs()), KEYS)
    a, b, witness = hosts.hosts(found)
    assert (a.engine, a.places, a.address) == ("ssh://admin@10.64.0.10", ("a",), "10.64.0.10")
    assert (b.engine, b.way.host_key) == ("ssh://admin@10.64.1.10", KEYS["trading-b"])
    assert witness.places == ("witness", "market")
    assert {host.way.through for host in (a, b, witness)} == {""}
    assert tuple(hosts.faults(found.hosts, "docker", found)) == ()
    assert Environment.model_validate_json(found.model_dump_json()) == found


def test_session_manager_leads_to_the_instance_and_hosts_reach_the_address() -> None:
    found = placed(environment(), handed_out("books", outputs("session-manager")), KEYS)
    a, *_ = hosts.hosts(found)
    assert (a.way.session, a.address) == (("i-01234560", REGION), "10.64.0.10")


@pytest.mark.parametrize(
    ("tier", "groups"),
    [
        (LatencyTier.DAILY, {"daily": {"trading-a", "trading-b", "witness"}}),
        (LatencyTier.HFT, {"hft": {"trading-a", "trading-b"}, "intraday": {"witness"}}),
    ],
)
def test_boxes_are_in_the_group_of_their_tier(
    tier: LatencyTier, groups: dict[str, set[str]]
) -> None:
    found = inventory(environment(tier), handed_out("books", outputs()), KEYS)["all"]["children"]
    assert {tier: set(group["hosts"]) for tier, group in found.items()} == groups


def test_a_box_is_met_by_its_key_and_the_way_that_ssh_takes() -> None:
    def boxes(by: str) -> Any:
        found = inventory(environment(), handed_out("books", outputs(by)), KEYS)
        return found["all"]["children"]["intraday"]["hosts"]["trading-a"]

    assert boxes("address") == {
        "ansible_host": "10.64.0.10",
        "ansible_user": "admin",
        "opsctl_host_key": KEYS["trading-a"],
        "opsctl_owner": "books",
    }
    assert boxes("session-manager")["ansible_ssh_common_args"].startswith(
        "-o 'ProxyCommand=aws ssm start-session --target i-01234560 "
    )


def own(name: str = "ny4-1", address: str = "10.9.0.4", **more: object) -> dict[str, Any]:
    reach = {"by": "ssh", "user": "ops", "port": 22.0, "key": ""}
    return {
        "name": name,
        "role": "trading",
        "site": "a",
        "address": address,
        "reach": reach,
        **more,
    }


def test_servers_of_ones_own_are_reached_as_they_were_declared() -> None:
    reach = {"by": "ssh", "user": "", "port": 2222.0, "key": "~/.ssh/rack"}
    listed = [own(reach=reach), own("ny4-2", "10.9.0.5", role="spare")]
    (host,) = handed_out("books", {"hosts": Output(value=listed)})
    assert (host.own, host.engine, host.same) == (True, "ssh://10.9.0.4:2222", "ny4-1")
    found = placed(environment(), (host,), {"ny4-1": KEYS["trading-a"]})
    assert found.hosts["a"].way == Way(host_key=KEYS["trading-a"], key="~/.ssh/rack")
    assert found.hosts["a"].address == "10.9.0.4"


def test_a_name_is_for_ssh_and_no_address_for_others() -> None:
    hosts = handed_out("books", {"hosts": Output(value=[own(address="ny4-1.example.com")])})
    found = placed(environment(), hosts, {"ny4-1": KEYS["trading-a"]})
    at = found.hosts["a"]
    assert (at.engine, at.address) == ("ssh://ops@ny4-1.example.com", "")


def test_boxes_of_a_cloud_may_have_a_profile_of_the_firms_own() -> None:
    given = environment().model_copy(update={"aws": AwsSettings(profile="our-intraday")})
    found = inventory(given, handed_out("books", outputs()), KEYS)["all"]["children"]
    assert {one["opsctl_profile_name"] for one in found["intraday"]["hosts"].values()} == {
        "our-intraday"
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "there are no hosts of books yet"),
        ({"hosts": Output(value=[])}, "there are no hosts of books yet"),
        ({"hosts": Output(value=[{"name": "a"}])}, "in a form that is not known"),
        ({"hosts": Output(value=["a"])}, "in a form that is not known"),
    ],
)
def test_what_is_no_list_of_hosts_is_refused(given: dict[str, Output], message: str) -> None:
    with pytest.raises(OpsctlError) as caught:
        handed_out("books", given)
    assert message in caught.value.message
    assert "opsctl deploy books --only infrastructure" in (caught.value.hint or "")
