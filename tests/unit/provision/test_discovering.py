"""The first declaration of servers: it loads as it is, whatever they say of themselves."""

from __future__ import annotations

from typing import Any

from opsctl.model.documents import parse
from opsctl.model.environment import Environment
from opsctl.model.files import assemble
from opsctl.model.tiers import LatencyTier
from opsctl.provision.discovering import Discovered, discovered
from opsctl.provision.failing import Failure
from opsctl.provision.inventory import BoxHost, Inventory
from tests.support.boxes import box

FAILURE = Failure(stage="connect", message="10.0.0.9 port 22: does not answer", hint="up?")


def host(name: str, **more: Any) -> BoxHost:
    plain: dict[str, Any] = {
        "name": name,
        "address": "10.0.0.1",
        "port": 22,
        "user": "ops",
        "groups": (),
        "tier": None,
        "owner": "platform",
        "host_key": "",
        "profile": "",
        "key": "/keys/ops",
    }
    return BoxHost.model_validate({**plain, **more})


HOSTS = (
    host("NY4_1", tier=LatencyTier.INTRADAY, groups=("intraday", "cage_12")),
    host("ny4.1", address="10.0.0.2", port=2222, tier=LatencyTier.INTRADAY, user="root"),
    host("ld", address="10.0.0.3", tier=LatencyTier.HFT, profile="", key="/keys/other"),
    host("gone", address="10.0.0.9"),
)
BOXES = {
    "NY4_1": box(machine_id="1" * 32),
    "ny4.1": box(machine_id="2" * 32, hostname="a\n    racks: {}", owner="other 77"),
    "ld": box(machine_id="3" * 32),
}


def found() -> Discovered:
    inventory = Inventory(file="/firm/site/inventory.yml", hosts=HOSTS)
    keys = {"10.0.0.1": "ssh-ed25519 AAAA1", "[10.0.0.2]:2222": "ssh-ed25519 AAAA2"}
    return discovered(inventory, BOXES, {"gone": FAILURE}, keys)


def loaded(text: str) -> Environment:
    assembled = assemble("ny", [parse("ny", text)])
    assert assembled.faults == ()
    assert assembled.environment is not None
    return assembled.environment


def test_it_loads_as_it_is() -> None:
    environment = loaded(found().declaration)
    said = environment.onprem
    assert said.owner == "platform"
    assert (environment.tier, said.user, said.key) == (LatencyTier.INTRADAY, "ops", "/keys/ops")
    assert {name: rack.site for name, rack in said.racks.items()} == {"cage-12": "a", "rack-1": "a"}
    assert {name: one.role for name, one in said.servers.items()} == {
        "ny4-1": None,
        "ny4-1-2": "spare",
        "ld": "spare",
    }
    second, third = said.servers["ny4-1-2"], said.servers["ld"]
    assert (second.port, second.user, second.host_key) == (2222, "root", "ssh-ed25519 AAAA2")
    assert (second.machine, third.profile, third.host_key) == ("2" * 32, "hft", "")


def test_what_was_found_stands_beside_it() -> None:
    text = found().declaration
    assert "# box1: debian 12, 6.1.0-31-amd64, bare metal" in text
    assert "# NIC eth1: igb, 4 queues, may carry trading" in text
    assert "# held by other 77: give it back there first" in text
    assert "# its key is /keys/other: let ~/.ssh/config name it" in text
    assert "# gone is not declared, it could not be read: connect: 10.0.0.9 port 22" in text


def test_what_could_not_be_read_is_listed() -> None:
    assert [(one.host, one.failure) for one in found().missed] == [("gone", FAILURE)]
    assert [one.name for one in found().servers] == ["ny4-1", "ny4-1-2", "ld"]
