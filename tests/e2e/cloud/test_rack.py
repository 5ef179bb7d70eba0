"""An environment on a server of one's own as a whole: from its file to trading, and back.

The server is a fake box with an engine of its own, and nothing but its sshd is reached.
"""

from __future__ import annotations

from tests.e2e.conftest import needed
from tests.support import cloud_host
from tests.support.cloud_host import EMPTY, holds
from tests.support.racks import racked
from tests.support.second_host import run

RACKS = {"office": {"site": "a", "place": "office"}}
REDIRECTS = "/proc/sys/net/ipv4/conf/all/send_redirects"
CLAIM = "/var/lib/opsctl/provision/claim.json"


def test_a_server_of_ones_own_from_a_file_to_trading_and_back() -> None:
    needed(cloud_host.lacking())
    with racked(RACKS, dr="cold") as (firm, (engine,)):
        (box,) = firm.fleet.boxes
        made = firm.json("deploy", "rack", "--no-verify")
        assert [(one["name"], one["profile"]) for one in made["hosts"]] == [("box-01", "")]
        assert made["provisioned"] == []  # the stack did it
        assert box.run("cat", REDIRECTS).strip() == "0"
        assert any("execution" in name for name in holds(engine)["containers"])

        # What runs on a server does not make it differ from its profile, and is as it is declared.
        planned = firm.json("plan", "rack")
        assert (planned["changes"], planned["services_unknown"]) == ([], "")
        assert planned["services"]["changes"] == []
        assert firm.json("status", "rack")["verdict"] == "healthy"

        # A server that does not answer would trade on without anyone who knows of it.
        cable = ("ip", "-n", box.namespace, "link", "set", "eth0")
        run(*cable, "down")
        said = firm.run("destroy", "rack", "--yes", code=1).stderr
        assert box.address in said
        run(*cable, "up")

        gone = firm.json("destroy", "rack", "--yes")
        assert len(gone["deleted"]) == len(RACKS) + 1  # and the claim
        assert holds(engine) == EMPTY
        assert box.run("cat", REDIRECTS).strip() == "1"
        assert box.run("sh", "-c", f"ls {CLAIM} || true").strip() == ""
