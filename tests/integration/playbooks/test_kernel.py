"""The writers on a real kernel, in a network of its own; files go into a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, sys
from ansible import module_utils
module_utils.__path__.append(sys.argv[1])
from ansible.module_utils.opsctl_box.hold import Wish, hold
from ansible.module_utils.opsctl_box.system import System
from ansible.module_utils.opsctl_read import reading

system, answers = System(sys.argv[2]), []
for settings, check in json.load(sys.stdin):
    by_means = {}
    for means, at, want in settings:
        by_means.setdefault(means, []).append({"id": at, "at": at, "want": want})
    done = hold(system, Wish("nic", by_means, [], ""), check)
    asked = [("sysctl", "net.core.somaxconn"), ("ethtool", "eth1 feature gro"),
             ("ethtool", "eth1 feature tso"), ("sysfs", "/sys/class/net/eth1/mtu")]
    answers.append({
        "changes": [one["at"] for one in done.changes],
        "problems": {one["at"]: one["message"] for one in done.problems},
        "now": {one["at"]: one["value"] for one in reading.of(asked)},
    })
print(json.dumps(answers))
"""
SETUP = 'mount -t sysfs none /sys && ip link add eth1 type veth peer name eth2 && exec "$@"'

WANTED = [
    ("sysctl", "net.core.somaxconn", "1234"),
    ("ethtool", "eth1 feature gro", "on"),
    ("ethtool", "eth1 feature tso", "off"),
    ("sysfs", "/sys/class/net/eth1/mtu", "1400"),
]

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and (os.geteuid() != 0 or not shutil.which("ethtool")),
    reason="a network of its own takes root, and its NICs ethtool",
)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The kernel's files as they are; everything else in a folder."""
    for name in ("proc", "sys"):
        (tmp_path / name).symlink_to(f"/{name}")
    return tmp_path


def run(server: Path, *steps: tuple[list[tuple[str, str, str]], bool]) -> list[dict[str, Any]]:
    argv = [sys.executable, "-c", PROGRAM, str(ROOT / "playbooks/module_utils"), str(server)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--", "sh", "-c", SETUP, "sh", *argv],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_settings_hold_once_and_go_back(server: Path) -> None:
    nothing: list[tuple[str, str, str]] = []
    before, checked, made, again, back, still = run(
        server, (nothing, False), (WANTED, True), (WANTED, False), (WANTED, False),
        (nothing, False), (nothing, True),
    )  # fmt: skip

    assert checked["now"] == before["now"]
    assert made["problems"] == {}
    assert made["now"] == {at: want for _, at, want in WANTED}
    assert set(checked["changes"]) == set(made["changes"])
    assert again["changes"] == []
    assert back["now"] == before["now"]
    assert back["problems"] == {}
    assert still["changes"] == []
    assert not list(server.glob("etc/*/*opsctl*"))
    assert not (server / "etc/opsctl").exists()


def test_what_the_kernel_refuses_is_told_and_spoils_nothing(server: Path) -> None:
    (made,) = run(
        server,
        (
            [
                ("sysctl", "net.core.somaxconn", "1234"),
                ("ethtool", "eth1 feature tx-esp-segmentation", "on"),
                ("sysfs", "/sys/class/net/eth1/mtu", "7"),
            ],
            False,
        ),
    )

    assert made["now"]["net.core.somaxconn"] == "1234"
    assert set(made["problems"]) == {
        "eth1 feature tx-esp-segmentation",
        "/sys/class/net/eth1/mtu",
    }
    assert "Invalid argument" in made["problems"]["/sys/class/net/eth1/mtu"]
