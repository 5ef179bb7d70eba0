"""A warm rack of three servers of one's own: its leading one is lost, and an order moves trading.

The servers are fake boxes with an engine of their own each, and nothing but their sshd and what
leads from one site to another is reached.
"""

from __future__ import annotations

from tests.e2e.conftest import needed
from tests.support import cloud_host
from tests.support.cloud_host import EMPTY, holds
from tests.support.racks import SITES, racked
from tests.support.second_host import run

REDIRECTS = "/proc/sys/net/ipv4/conf/all/send_redirects"
CLAIM = "/var/lib/opsctl/provision/claim.json"


def test_servers_of_ones_own_from_a_file_to_trading_and_back() -> None:
    needed(cloud_host.lacking())
    with racked(SITES, dr="warm") as (firm, engines):
        boxes = firm.fleet.boxes
        made = firm.json("deploy", "rack", "--no-verify")
        assert [(one["name"], one["site"], one["profile"]) for one in made["hosts"]] == [
            ("box-01", "a", ""),
            ("box-02", "b", ""),
            ("box-03", "witness", ""),
        ]
        assert made["provisioned"] == []  # the stack did it
        assert made["services"]["rehearsal"] == ""
        assert [box.run("cat", REDIRECTS).strip() for box in boxes] == ["0"] * len(boxes)
        trading = [any("execution" in one for one in holds(e)["containers"]) for e in engines]
        assert trading == [True, True, False]

        # What runs on a server does not make it differ from its profile, and is as it is declared.
        planned = firm.json("plan", "rack")
        assert (planned["changes"], planned["services_unknown"]) == ([], "")
        assert planned["services"]["changes"] == []
        assert firm.json("status", "rack")["verdict"] == "healthy"

        # The server that leads is lost: the order path moves to the other by an order alone.
        cable = ("ip", "-n", boxes[0].namespace, "link", "set", "eth0")
        run(*cable, "down")
        moved = firm.json("failover", "rack", "--to", "b", "--emergency")
        assert (moved["verdict"], moved["from_site"]) == ("done", "a")
        assert moved["handover_ms"] is not None  # nobody did before

        # One that does not answer would trade on without anyone who knows of it.
        said = firm.run("destroy", "rack", "--yes", code=1).stderr
        assert boxes[0].address in said
        run(*cable, "up")

        gone = firm.json("destroy", "rack", "--yes")
        assert len(gone["deleted"]) == len(boxes) + 1  # and the claim
        assert [holds(engine) for engine in engines] == [EMPTY] * len(boxes)
        assert [box.run("cat", REDIRECTS).strip() for box in boxes] == ["1"] * len(boxes)
        left = [box.run("sh", "-c", f"ls {CLAIM} || true").strip() for box in boxes]
        assert left == [""] * len(boxes)
