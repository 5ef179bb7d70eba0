"""Boxes that are reached over SSH: one is good, the others are each wrong in their own way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from opsctl import schemas
from tests.support import fleet as fleets
from tests.support.command import MAIN, opsctl
from tests.support.fleet import Fleet, Kind
from tests.support.process import processes
from tests.support.second_host import key
from tests.support.servers import folder, wait_for

GOOD, NO_SUDO, OTHER, CHANGED = "box-01", "box-02", "box-03", "box-04"
NOBODY = "box-05"
FEDORA = 'ID=fedora\nVERSION_ID="40"\nPRETTY_NAME="Fedora Linux 40"\n'
SECRET = "horse-battery-staple-7"


@pytest.fixture(scope="module")
def boxes() -> Iterator[Fleet]:
    if why := fleets.lacking():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a fleet: {why}")
        pytest.skip(why)
    kinds = (Kind(), Kind(sudo=False), Kind(release=FEDORA), Kind())
    with fleets.fleet(kinds) as running, folder() as keys:
        running.variables[CHANGED] = {"opsctl_host_key": key(keys / "other")}
        yield running


@pytest.fixture(scope="module")
def inventory(boxes: Fleet) -> Path:
    """One of all boxes, and one that is not there."""
    nobody = boxes.boxes[0].address.rpartition(".")[0] + ".250"
    path = boxes.inventory().with_name("all.yml")
    more = f"    daily:\n      hosts:\n        {NOBODY}: {{ansible_host: {nobody}}}\n"
    path.write_text(boxes.inventory().read_text() + more)
    return path


@pytest.fixture(scope="module")
def done(inventory: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    """An audit of all of them."""
    with folder() as state:
        words = ("audit", "host", "-i", str(inventory), "-o", "json")
        done = opsctl(*words, state=state, OPSCTL_BECOME_PASSWORD=SECRET)
        written = [path for path in state.rglob("*") if path.is_file()]
        assert not [p for p in written if SECRET in p.read_text(errors="replace")]
        yield done


@pytest.fixture(scope="module")
def hosts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What it said of each."""
    found = json.loads(done.stdout)
    jsonschema.validate(found, schemas.schema("audit-host"))
    return {host["host"]: host for host in found["hosts"]}


class TestAudit:
    """One audit of all of them."""

    def test_what_could_not_be_audited_makes_it_fail(
        self, done: subprocess.CompletedProcess[str]
    ) -> None:
        assert done.returncode == 1, done.stderr

    def test_the_good_one_is_read_all_the_same(self, hosts: dict[str, Any]) -> None:
        good = hosts[GOOD]
        assert good["failure"] is None
        found = {f["setting"]: f for f in good["findings"]}
        assert found["package.nftables"]["verdict"] == "holds"
        assert found["sshd.maxauthtries"] | {"detail": ""} == {
            "setting": "sshd.maxauthtries",
            "want": "4",
            "got": "6",
            "verdict": "drifted",
            "detail": "",
        }
        unit = found["unit.auditd.service"]
        assert unit["verdict"] == "unreadable"
        assert "systemctl is not installed" in unit["detail"]

    @pytest.mark.parametrize(
        ("host", "stage", "message", "hint"),
        [
            (NO_SUDO, "connect", "may not sudo", "OPSCTL_BECOME_PASSWORD"),
            (OTHER, "profile", "Debian 12 is what is supported", "--profile"),
            (CHANGED, "keys", "another host key than the known one", "opsctl_host_key"),
            (NOBODY, "connect", "does not answer", "is the box up"),
        ],
    )
    def test_each_other_one_says_what_is_wrong(
        self, hosts: dict[str, Any], host: str, stage: str, message: str, hint: str
    ) -> None:
        failure = hosts[host]["failure"]
        assert failure["stage"] == stage, failure
        assert message in failure["message"]
        assert hint in failure["hint"]


def test_a_box_is_pinned_at_first_contact_and_then_held_to_its_key(
    boxes: Fleet, state: Path
) -> None:
    words = ("audit", "host", GOOD, "-i", str(boxes.inventory(keys=False)), "-o", "json")
    stranger = opsctl(*words, state=state)
    assert stranger.returncode == 1
    assert "is not known; it offers SHA256:" in stranger.stderr
    assert "--accept-host-keys" in stranger.stderr
    met = opsctl(*words, "--accept-host-keys", state=state)
    assert "pinned SHA256:" in met.stderr
    assert json.loads(met.stdout)["hosts"][0]["failure"] is None
    with folder() as keys:
        pinned = f"{boxes.boxes[0].address} {key(keys / 'new')}\n"
    (state / "boxes" / "known_hosts").write_text(pinned)
    shutil.rmtree(state / "boxes" / "ssh")  # no connection stays open
    changed = opsctl(*words, "--accept-host-keys", state=state)
    assert changed.returncode == 1
    assert "another host key than the known one" in changed.stderr
    assert (state / "boxes" / "known_hosts").read_text() == pinned


def test_a_setting_that_was_changed_by_hand_is_found(boxes: Fleet, state: Path) -> None:
    words = ("audit", "host", GOOD, "-i", str(boxes.inventory()), "-o", "json")
    before = json.loads(opsctl(*words, state=state).stdout)["hosts"][0]
    assert (before["audited_before"], before["since"]) == (None, [])
    boxes.boxes[0].run("sh", "-c", "echo MaxAuthTries 5 >> /etc/ssh/sshd_config")
    metrics = state / "boxes.prom"
    done = opsctl(*words, "--metrics", str(metrics), state=state)
    assert done.returncode == 3, done.stderr
    after = json.loads(done.stdout)["hosts"][0]
    changes = [(c["setting"], c["got_before"], c["got_after"]) for c in after["since"]]
    assert changes == [("sshd.maxauthtries", "6", "5")]
    assert after["audited_before"] is not None
    holds = f'opsctl_box_setting_holds{{host="{GOOD}",setting="sshd.maxauthtries"}} 0'
    assert holds in metrics.read_text()


class TestProvision:
    """What a box without systemd is spared."""

    def test_it_is_refused_before_anything_is_changed(self, boxes: Fleet, state: Path) -> None:
        words = ("provision", GOOD, "-i", str(boxes.inventory()), "--yes", "-o", "json")
        before = boxes.boxes[0].written()
        done = opsctl(*words, state=state)
        assert done.returncode == 1, done.stderr
        result = json.loads(done.stdout)
        jsonschema.validate(result, schemas.schema("provision"))
        host = result["hosts"][0]
        assert "systemd does not run here" in host["failure"]["message"]
        assert "sshd.maxauthtries" in {change["setting"] for change in host["changes"]}
        assert boxes.boxes[0].written() == before

    def test_draining_needs_an_environment_that_is_there(self, boxes: Fleet, state: Path) -> None:
        words = ("provision", GOOD, "-i", str(boxes.inventory()), "--yes", "--drain")
        done = opsctl(*words, state=state)
        assert done.returncode == 1
        assert f"no deployed environment has a site on {GOOD}" in done.stderr

    def test_without_a_terminal_it_takes_a_yes(self, boxes: Fleet, state: Path) -> None:
        done = opsctl("provision", GOOD, "-i", str(boxes.inventory()), state=state)
        assert done.returncode == 2
        assert "add --yes" in done.stderr

    @pytest.mark.parametrize(
        ("cpus", "said"),
        [("4000-4001", "4000"), (f"0-{(os.cpu_count() or 1) - 1}", "isolates every CPU")],
    )
    def test_a_layout_that_cannot_be_is_refused(
        self, boxes: Fleet, state: Path, tmp_path: Path, cpus: str, said: str
    ) -> None:
        """CPUs that the box does not have, or all that it has."""
        (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        (tmp_path / "site/profiles").mkdir(parents=True)
        profile = tmp_path / "site/profiles/ours.yaml"
        profile.write_text(f"extends: hft\nlayout: {{trading: {cpus}}}\n")
        words = ("provision", GOOD, "-i", str(boxes.inventory()), "--profile", "ours", "--check")
        done = opsctl(*words, state=state, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert f"{GOOD} cannot have profile ours" in done.stderr
        assert said in done.stderr


def test_killed_it_ends_ansible_too_and_the_next_run_goes_on(boxes: Fleet, state: Path) -> None:
    path = str(boxes.inventory())
    words = ("provision", GOOD, "-i", path, "--check")
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words],
        env={**os.environ, "OPSCTL_STATE": str(state)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: bool(_ansible(state)), "Ansible", timeout_s=60)
        second = opsctl(*words, state=state)
        assert second.returncode == 1
        assert f"{GOOD} is held by `opsctl provision {GOOD}`" in second.stderr
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not _ansible(state), "Ansible to end")
    assert opsctl("audit", "host", GOOD, "-i", path, state=state).returncode == 3
    listed = opsctl("evidence", "list", "-o", "json", state=state)
    assert [line["outcome"] for line in json.loads(listed.stdout)["lines"]] == [
        "interrupted",
        "failed",
    ]


def _ansible(state: Path) -> list[int]:
    return processes("ansible-playbook", str(state))
