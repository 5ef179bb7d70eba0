"""What a link and an address are measured by: real pings and ARP over a cable of two networks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.second_host import run

MODULES = Path(__file__).parents[3] / "playbooks" / "module_utils"
NEAR, FAR = f"wire{os.getpid()}a", f"wire{os.getpid()}b"
ADDRESS = "10.9.0.77"


@pytest.fixture(scope="module", autouse=True)
def cable() -> Iterator[None]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must be able to make networks")
        pytest.skip("networks are made by root, with iproute2")
    for name in (NEAR, FAR):
        run("ip", "netns", "add", name)
    try:
        cable = ("ip", "link", "add", "eth1", "netns", NEAR, "type", "veth")
        run(*cable, "peer", "eth1", "netns", FAR)
        for name, address in ((NEAR, "10.9.0.1/24"), (FAR, "10.9.0.2/24")):
            run("ip", "-n", name, "addr", "add", address, "dev", "eth1")
            run("ip", "-n", name, "link", "set", "eth1", "up", "mtu", "9000")
        yield
    finally:
        for name in (NEAR, FAR):
            run("ip", "netns", "delete", name)


def inside(name: str, module: str, call: str) -> Any:
    """Return what a call of a module of the playbooks returns within a network."""
    code = f"import json, {module} as it; print(json.dumps(it.{call}))"
    done = subprocess.run(
        ["ip", "netns", "exec", name, sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(MODULES / folder_of(module))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def folder_of(module: str) -> str:
    return "opsctl_read" if module == "pinging" else "opsctl_box"


def pinged(peer: str, mtu: int = 9000) -> Any:
    return inside(NEAR, "pinging", f"pinged('eth1', '10.9.0.1', '{peer}', {mtu})")


def mac(name: str) -> str:
    shown = run("ip", "-n", name, "-json", "link", "show", "dev", "eth1")
    return str(json.loads(shown)[0]["address"])


def test_a_packet_of_full_size_passes_and_its_way_there_and_back_is_timed() -> None:
    found = pinged("10.9.0.2")
    assert (found["passes"], found["lost"]) == ("", 0)
    assert 0 < found["least_us"] <= found["median_us"]


def test_a_packet_that_is_too_large_for_the_other_end_is_told() -> None:
    run("ip", "-n", FAR, "link", "set", "eth1", "mtu", "1500")
    try:
        found = pinged("10.9.0.2")
        assert found["passes"] == "packets of 9000 bytes do not come back"
        assert found["least_us"] > 0
        assert pinged("10.9.0.2", 1500)["passes"] == ""
    finally:
        run("ip", "-n", FAR, "link", "set", "eth1", "mtu", "9000")


def test_a_packet_that_is_too_large_for_this_end_is_not_cut_in_two() -> None:
    found = pinged("10.9.0.2", 9001)
    assert found["passes"] == "packets of 9001 bytes are not sent: Message too long"


def test_where_nobody_is_nobody_answers() -> None:
    assert pinged("10.9.0.99")["lost"] == 20


def test_whoever_holds_an_address_answers_and_is_not_oneself() -> None:
    asks = f"holders('eth1', '{ADDRESS}')"
    assert inside(NEAR, "devices", asks) == []
    run("ip", "-n", FAR, "addr", "add", f"{ADDRESS}/32", "dev", "eth1")
    try:
        assert inside(NEAR, "devices", asks) == [mac(FAR)]
        assert inside(FAR, "devices", asks) == []
        said = inside(
            NEAR, "devices", f"address_write('eth1', '{ADDRESS}', lambda *_: (1, '', 'told'))"
        )
        assert said == f"{ADDRESS} is held by {mac(FAR)}, who answered for it on eth1"
    finally:
        run("ip", "-n", FAR, "addr", "del", f"{ADDRESS}/32", "dev", "eth1")


def test_who_takes_an_address_tells_those_who_know_another_by_it() -> None:
    known = ("ip", "-n", FAR, "neigh", "replace", ADDRESS, "dev", "eth1")
    run(*known, "lladdr", "02:00:00:00:00:99", "nud", "stale")
    code = f"address_write('eth1', '{ADDRESS}', it._run)"
    assert inside(NEAR, "devices", code) == ""
    try:
        assert mac(NEAR) in run("ip", "-n", FAR, "neigh", "show", ADDRESS)
    finally:
        run("ip", "-n", NEAR, "addr", "del", f"{ADDRESS}/32", "dev", "eth1")


def test_without_a_carrier_an_address_is_not_taken() -> None:
    run("ip", "-n", FAR, "link", "set", "eth1", "down")
    try:
        quick = f"address_write('eth1', '{ADDRESS}', it._run, 0.1)"
        said = inside(NEAR, "devices", quick)
        assert said == f"eth1 has no carrier, so nobody can be asked whether he holds {ADDRESS}"
    finally:
        run("ip", "-n", FAR, "link", "set", "eth1", "up")
