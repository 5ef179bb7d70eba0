"""Links and floating addresses, from their file to handed back: real cables, real ARP and pings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import fleet as fleets
from tests.support.fleet import FakeBox, Kind
from tests.support.process import processes
from tests.support.racks import Rack
from tests.support.second_host import run
from tests.support.servers import folder, wait_for

DEPLOY = ("deploy", "rack", "--only", "infrastructure")
ENDS: dict[str, dict[str, Any]] = {
    "box-01": {"interface": "eth1", "address": "10.9.0.0/31", "routes": ["10.20.0.0/16"]},
    "box-02": {"interface": "eth1", "address": "10.9.0.1/31"},
}
LINK = {"use": "inter-site", "ends": ENDS, "mtu": 9000}
SYSTEMCTL = """\
#!/bin/sh
# FakeSystemctl: enables units as systemd does offline, and starts none.
wants=/etc/systemd/system/multi-user.target.wants
did=$1; shift
case $did in
  enable) mkdir -p $wants; for one in "$@"; do ln -sf /nowhere $wants/$one; done ;;
  disable) for one in "$@"; do rm -f $wants/$one; done; rmdir $wants 2>/dev/null || true ;;
esac
"""


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    if why := fleets.lacking():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a fleet: {why}")
        pytest.skip(why)
    with fleets.fleet([Kind(taken=True), Kind(taken=True)]) as fleet, folder() as home:
        one, two = fleet.boxes
        cable = ("ip", "link", "add", "eth1", "netns", one.namespace, "type", "veth")
        run(*cable, "peer", "eth1", "netns", two.namespace)
        for box in fleet.boxes:
            box.run("sh", "-c", f"cat > /usr/bin/systemctl <<'X'\n{SYSTEMCTL}X\n")
            box.run("chmod", "755", "/usr/bin/systemctl")
        made = Rack(home / "firm", fleet)
        declare(made)
        yield made


def floating(rack: Rack) -> str:
    return rack.fleet.boxes[0].address.rpartition(".")[0] + ".200"


def declare(rack: Rack, link: dict[str, Any] | None = LINK, holder: str = "box-01") -> None:
    interfaces = {"box-01": "eth0", "box-02": "eth0"}
    desk = {"address": floating(rack), "holder": holder, "interfaces": interfaces}
    rack.more = {"links": {"between": link} if link else {}, "addresses": {"desk": desk}}
    rack.write()


@pytest.fixture
def deployed(rack: Rack) -> Rack:
    """The rack after its first deploy, wherever its tests are run: they may be on two workers."""
    if not (rack.home / "state/environments/rack").exists():
        rack.run(*DEPLOY)
    return rack


def link(box: FakeBox) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(box.run("ip", "-json", "addr", "show", "dev", "eth1"))[0]
    return found


def addresses(box: FakeBox, nic: str = "eth1") -> list[str]:
    shown = box.run("ip", "-brief", "-4", "addr", "show", "dev", nic)
    return [one for one in shown.split() if "/" in one]


def holders(rack: Rack) -> list[str]:
    wanted = f"{floating(rack)}/32"
    return [box.name for box in rack.fleet.boxes if wanted in addresses(box, "eth0")]


def drifted(rack: Rack) -> dict[str, dict[str, str]]:
    """Return what a plan would change: by resource what is there."""
    changes = rack.json("plan", "rack")["changes"]
    return {
        one["name"]: {each["path"]: each["old"] for each in one["properties"]} for one in changes
    }


def test_the_interface_of_ssh_is_refused_before_anything_is_changed(rack: Rack) -> None:
    ends = {**ENDS, "box-01": {**ENDS["box-01"], "interface": "eth0"}}
    rack.more = {"links": {"between": {**LINK, "ends": ends}}}
    rack.write()
    said = rack.run(*DEPLOY, code=1).stderr
    assert "between" in said
    assert "SSH comes in by eth0" in said
    assert [addresses(box) for box in rack.fleet.boxes] == [[], []]
    assert "10.9.0" not in " ".join(addresses(rack.fleet.boxes[0], "eth0"))
    declare(rack)


def test_killed_while_they_are_made_the_next_deploy_makes_and_measures_them(rack: Rack) -> None:
    making = rack.start(*DEPLOY)
    try:
        state = str(rack.home / "state")
        wait_for(lambda: bool(processes("ansible-playbook", state, "/links.yml")), "it", 180)
    finally:
        making.kill()
    made = rack.json(*DEPLOY)
    one, two = rack.fleet.boxes
    assert (addresses(one), addresses(two)) == (["10.9.0.0/31"], ["10.9.0.1/31"])
    assert (link(one)["mtu"], link(two)["mtu"]) == (9000, 9000)
    assert "10.20.0.0/16 via 10.9.0.1" in one.run("ip", "route", "show", "dev", "eth1")
    (told,) = made["outputs"]["links"]["value"]
    assert 0 < told["round_trip"]["least_us"] <= told["round_trip"]["median_us"]
    assert holders(rack) == ["box-01"]


def test_what_was_changed_by_hand_is_named_and_mended(deployed: Rack) -> None:
    one, two = deployed.fleet.boxes
    one.run("ip", "link", "set", "eth1", "mtu", "1500")
    one.run("ip", "addr", "add", "10.9.0.7/31", "dev", "eth1")
    two.run("ip", "link", "set", "eth1", "down")
    two.run("ip", "addr", "add", f"{floating(deployed)}/32", "dev", "eth0")
    assert drifted(deployed) == {
        "between": {
            'drift["box-01.mtu"]': "1500 (wanted 9000)",
            'drift["box-01.addresses"]': "10.9.0.0/31, 10.9.0.7/31 (wanted 10.9.0.0/31)",
            'drift["box-01.carrier"]': "none: is the cable plugged in, and the other end up?",
            'drift["box-02.up"]': "down (wanted up)",
        },
        "desk": {"drift.holder": "box-01 and box-02 (wanted box-01 alone)"},
    }
    deployed.run(*DEPLOY, "--overwrite-drift")
    assert (link(one)["mtu"], addresses(one)) == (9000, ["10.9.0.0/31"])
    assert "10.20.0.0/16 via 10.9.0.1" in one.run("ip", "route", "show", "dev", "eth1")
    assert holders(deployed) == ["box-01"]


def test_after_a_boot_it_holds_again(deployed: Rack) -> None:
    box = deployed.fleet.boxes[0]
    enabled = box.run("ls", "/etc/systemd/system/multi-user.target.wants").split()
    assert {"opsctl-nic@eth0.service", "opsctl-nic@eth1.service"} <= set(enabled)
    box.run("ip", "addr", "flush", "dev", "eth1")
    box.run("ip", "link", "set", "eth1", "down", "mtu", "1500")
    box.run("ip", "addr", "del", f"{floating(deployed)}/32", "dev", "eth0")
    for nic in ("eth1", "eth0"):
        box.run("python3", "/usr/local/lib/opsctl/devices.py", nic)
    assert (link(box)["mtu"], addresses(box)) == (9000, ["10.9.0.0/31"])
    assert holders(deployed) == ["box-01"]


def test_an_address_moves_away_from_a_server_that_is_gone(deployed: Rack) -> None:
    gone, box = deployed.fleet.boxes
    declare(deployed, holder="box-02")
    gone.process.kill()  # its network stays, and would answer for the address
    run("ip", "-n", gone.namespace, "addr", "del", f"{floating(deployed)}/32", "dev", "eth0")
    try:
        said = deployed.run(*DEPLOY, "--overwrite-drift", code=1).stderr
        assert "box-01" in said
        assert "cannot be changed" in said
        assert "Traceback" not in said
        assert f"{floating(deployed)}/32" in addresses(box, "eth0")
        differs = drifted(deployed)
        for name in ("desk", "between"):
            assert "unknown: " in differs[name]['drift["box-01.reached"]']
    finally:
        gone.process.start()
        wait_for(lambda: gone.process.log().count("Server listening") >= 2, "its sshd", 60)


def test_handed_back_they_are_as_they_were(deployed: Rack) -> None:
    done = deployed.json("destroy", "rack", "--yes")
    assert {"between", "desk"} <= set(done["deleted"])
    for box in deployed.fleet.boxes:
        assert addresses(box) == []
        assert (link(box)["mtu"], "UP" in link(box)["flags"]) == (1500, False)
        assert "opsctl" not in box.run("ls", "/etc", "/usr/local/lib", "/var/lib")
    assert holders(deployed) == []
