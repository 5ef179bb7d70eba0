"""An environment on servers of one's own as a whole: from its file to trading, and back.

Each server is a fake box with an engine of its own, and nothing but its sshd is reached.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from opsctl.model.tiers import LatencyTier
from tests.e2e.conftest import needed
from tests.support import cloud_host
from tests.support.cloud_host import engine_in, holds
from tests.support.fleet import Kind, fleet
from tests.support.process import folder
from tests.support.racks import Rack
from tests.support.second_host import Namespaced, run

RACKS = {
    "ny4": {"site": "a", "place": "NY4, cage 12"},
    "ld4": {"site": "b", "place": "LD4, cage 3"},
    "office": {"site": "witness", "place": "office"},
}
REDIRECTS = "/proc/sys/net/ipv4/conf/all/send_redirects"
CLAIM = "/var/lib/opsctl/provision/claim.json"
EMPTY: dict[str, list[str]] = {"containers": [], "volumes": [], "networks": []}


@pytest.fixture
def rack() -> Iterator[tuple[Rack, list[Namespaced]]]:
    """A firm with a server in each rack, on which nothing was deployed, and their engines."""
    needed(cloud_host.lacking())
    with (
        fleet([Kind(taken=True)] * len(RACKS)) as boxes,
        folder() as home,
        contextlib.ExitStack() as stack,
    ):
        made = Rack(home / "firm", boxes)
        made.put_profile(LatencyTier.DAILY)
        servers = {box.name: {"rack": at} for box, at in zip(boxes.boxes, RACKS, strict=True)}
        made.put_rack("rack", RACKS, servers, tier="daily", dr="hot")
        yield made, [stack.enter_context(engine_in(box)) for box in boxes.boxes]


def test_servers_of_ones_own_from_a_file_to_trading_and_back(
    rack: tuple[Rack, list[Namespaced]],
) -> None:
    firm, engines = rack
    made = firm.json("deploy", "rack", "--no-verify")
    assert [(one["name"], one["site"], one["profile"]) for one in made["hosts"]] == [
        ("box-01", "a", ""),
        ("box-02", "b", ""),
        ("box-03", "witness", ""),
    ]
    assert made["provisioned"] == []  # the stack did it
    for box in firm.fleet.boxes:
        assert box.run("cat", REDIRECTS).strip() == "0"
    assert made["services"]["rehearsal"] == ""
    assert any("execution" in name for name in holds(engines[1])["containers"])

    # What runs on a server does not make it differ from its profile, and is as it is declared.
    planned = firm.json("plan", "rack")
    assert (planned["changes"], planned["services_unknown"]) == ([], "")
    assert planned["services"]["changes"] == []
    assert firm.json("status", "rack")["verdict"] == "healthy"

    found = firm.json("drill", "run", "leader-kill", "rack", code=None)  # how fast is not asked
    measured = found["measured"]
    assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0), found["findings"]
    assert found["leader_before"] != found["leader_after"]

    # A server that does not answer would trade on without anyone who knows of it.
    lost = firm.fleet.boxes[2]
    cable = ("ip", "-n", lost.namespace, "link", "set", "eth0")
    run(*cable, "down")
    said = firm.run("destroy", "rack", "--yes", code=1).stderr
    assert lost.address in said
    run(*cable, "up")

    gone = firm.json("destroy", "rack", "--yes")
    assert len(gone["deleted"]) == len(RACKS) + 1  # and the claim
    assert [holds(engine) for engine in engines] == [EMPTY] * len(RACKS)
    for box in firm.fleet.boxes:
        assert box.run("cat", REDIRECTS).strip() == "1"
        assert box.run("sh", "-c", f"ls {CLAIM} || true").strip() == ""
