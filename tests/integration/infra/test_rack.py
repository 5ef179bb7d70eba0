"""Servers of one's own as resources, from their file to handed back: real sshd, real Ansible."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from opsctl import schemas
from opsctl.toolchain import programs
from tests.support import fleet as fleets
from tests.support.aws.language import language_folder
from tests.support.fleet import FakeBox, Kind
from tests.support.process import processes
from tests.support.racks import Rack
from tests.support.servers import folder, wait_for

SETTING = "sysctl.net.ipv4.conf.all.send_redirects"
FILE = "/proc/sys/net/ipv4/conf/all/send_redirects"
CLAIM = "/var/lib/opsctl/provision/claim.json"
DEPLOY = ("deploy", "rack", "--only", "infrastructure")


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    if why := fleets.lacking():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a fleet: {why}")
        pytest.skip(why)
    with fleets.fleet([Kind(taken=True), Kind(taken=True)]) as fleet, folder() as home:
        made = Rack(home / "firm", fleet)
        made.write()
        yield made


@pytest.fixture
def deployed(rack: Rack) -> Rack:
    """The rack after its first deploy, wherever its tests are run: they may be on two workers."""
    if not (rack.home / "state/environments/rack").exists():
        rack.run(*DEPLOY)
    return rack


def by_hand(box: FakeBox) -> None:
    """Change a setting of a box's kernel."""
    box.run("sh", "-c", f"echo 1 > {FILE}")


def holds(box: FakeBox) -> bool:
    return box.run("cat", FILE).strip() == "0"


def owner(box: FakeBox) -> str:
    found: str = json.loads(box.run("cat", CLAIM))["owner"]
    return found


def drifted(rack: Rack) -> dict[str, dict[str, str]]:
    """Return what a plan would change: by server what is there."""
    changes = rack.json("plan", "rack")["changes"]
    return {
        one["name"]: {each["path"]: each["old"] for each in one["properties"]} for one in changes
    }


def test_servers_that_are_there_are_declared_by_what_is_read_of_them(rack: Rack) -> None:
    inventory = rack.fleet.inventory()
    nobody = rack.fleet.boxes[0].address.rpartition(".")[0] + ".250"
    known = rack.fleet.boxes[0].host_key
    more = f"    daily: {{hosts: {{gone: {{ansible_host: {nobody}, opsctl_host_key: {known}}}}}}}\n"
    inventory.write_text(inventory.read_text() + more)
    words = ("stack", "discover", str(inventory), "--to", "Pulumi.found.yaml")
    found = rack.json(*words, code=1)
    jsonschema.validate(found, schemas.schema("stack-discover"))
    assert [one["host"] for one in found["servers"]] == ["box-01", "box-02"]
    assert [one["host"] for one in found["missed"]] == ["gone"]
    rack.run("env", "check", "found")
    said = rack.run(*words, code=2).stderr
    assert "Pulumi.found.yaml is there already" in said
    assert (rack.home / "Pulumi.found.yaml").read_text() == found["declaration"]
    (rack.home / "Pulumi.found.yaml").unlink()


def test_they_are_provisioned_and_claimed_and_then_there_is_nothing_to_change(rack: Rack) -> None:
    planned = rack.json("plan", "rack")
    assert {one["name"] for one in planned["changes"]} == {"claim", "box-01", "box-02"}
    assert planned["guardrails"]["findings"] == []
    one, two = rack.fleet.boxes
    assert not holds(one)

    made = rack.json(*DEPLOY)
    claim = made["outputs"]["claim"]["value"]
    assert owner(one) == owner(two) == claim
    assert re.fullmatch(r"rack [0-9a-f-]{36}", claim)
    assert holds(one)
    assert "trading" in one.run("cat", "/etc/passwd")
    hosts = made["outputs"]["hosts"]["value"]
    assert [(each["name"], each["role"], each["site"]) for each in hosts] == [
        ("box-01", "trading", "a"),
        ("box-02", "spare", "a"),
    ]
    assert hosts[0]["reach"]["by"] == "ssh"
    assert hosts[0]["instance"] == one.run("cat", "/etc/machine-id").strip()
    assert drifted(rack) == {}


def test_what_was_changed_by_hand_is_named_and_mended_also_after_a_kill(deployed: Rack) -> None:
    box = deployed.fleet.boxes[1]
    by_hand(box)
    assert drifted(deployed) == {"box-02": {f'drift["{SETTING}"]': "1 (wanted 0)"}}
    said = deployed.run(*DEPLOY, code=1).stderr
    assert f'box-02: drift["{SETTING}"]: declared none, is 1 (wanted 0)' in said
    assert not holds(box)
    said = plain(deployed, "preview", "--refresh", "--diff")
    assert SETTING in said
    assert "1 (wanted 0)" in said
    assert re.search(r"~ 1 to update", said), said

    # It is installed anew as well; and who mends it is killed.
    before = box.run("cat", "/etc/machine-id").strip()
    box.run("rm", "-r", "/var/lib/opsctl")
    box.run("sh", "-c", f"echo {'f' * 32} > /etc/machine-id")
    differs = drifted(deployed)["box-02"]
    assert differs["drift.claim"] == "nobody's: given back, or installed anew"
    assert differs["drift.machine"].startswith(f"{'f' * 32} (was {before})")
    mending = deployed.start(*DEPLOY, "--overwrite-drift")
    state = str(deployed.home / "state")
    try:
        wait_for(lambda: bool(processes("ansible-playbook", state, "provision")), "it", 60)
    finally:
        mending.kill()
    done = deployed.json(*DEPLOY, "--overwrite-drift")
    assert holds(box)
    assert owner(box) == owner(deployed.fleet.boxes[0])
    assert drifted(deployed) == {}, done


def test_a_server_that_does_not_answer_is_told_and_stays(deployed: Rack) -> None:
    box = deployed.fleet.boxes[1]
    box.process.kill()
    ((name, differs),) = drifted(deployed).items()
    assert name == "box-02"
    assert "unknown: " in differs["drift.reached"]
    assert f"{box.address} port 22" in differs["drift.reached"]
    said = deployed.run(*DEPLOY, "--overwrite-drift", code=1).stderr
    assert "box-02" in said
    assert "cannot be changed" in said
    box.process.start()
    wait_for(lambda: box.process.log().count("Server listening") >= 4, "its sshd", 60)


def test_what_another_environment_holds_is_refused_by_name(deployed: Rack) -> None:
    servers = {deployed.fleet.boxes[0].name: {"rack": "r1", "role": "trading"}}
    racks = {"r1": {"site": "a", "place": "room 1"}}
    deployed.put_rack("other", racks, servers, tier="weekly", dr="cold")
    said = deployed.run("deploy", "other", "--only", "infrastructure", code=1).stderr
    assert f"this server was provisioned for '{owner(deployed.fleet.boxes[0])}'" in said
    assert "for 'other " in said
    assert owner(deployed.fleet.boxes[0]).startswith("rack ")


def test_destroyed_they_are_handed_back_as_they_were(deployed: Rack) -> None:
    done = deployed.json("destroy", "rack", "--yes")
    assert sorted(done["deleted"]) == ["box-01", "box-02", "claim"]
    box = deployed.fleet.boxes[0]
    assert not holds(box)
    assert "trading" not in box.run("cat", "/etc/passwd")
    assert "opsctl" not in box.run("ls", "/var/lib", "/etc/sysctl.d")


def plain(rack: Rack, *words: str) -> str:
    """Run plain `pulumi` on the stack, with the program of this repository."""
    program = Path(__file__).parents[3] / "stacks" / "__main__.py"
    (rack.home / "__main__.py").write_text(program.read_text())
    engine = programs.path("pulumi", "pulumi")
    runner = programs.path("pulumi", "pulumi-language-python-exec")
    stack = rack.home / "state/environments/rack/infrastructure"
    with folder() as home:
        paths = (engine.parent, language_folder(home, runner))
        done = subprocess.run(
            [str(engine), *words, "--stack", "rack", "--non-interactive", "--color", "never"],
            cwd=rack.home,
            env={
                **rack.environment,
                "PATH": os.pathsep.join((*map(str, paths), os.environ["PATH"])),
                "PULUMI_HOME": str(home / "pulumi"),
                "PULUMI_BACKEND_URL": f"file://{stack / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE_FILE": str(stack / "passphrase"),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PYTHONPATH": str(program.parents[1]),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    return done.stdout
