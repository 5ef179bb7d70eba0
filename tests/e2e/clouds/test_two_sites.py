"""A warm environment on three hosts in a cloud: from its file to a drill, and back."""

from __future__ import annotations

import re

from opsctl.images.ssh import CONFIG
from opsctl.infra.whole import KEPT
from tests.e2e.conftest import needed
from tests.support import cloud_host
from tests.support.aws.firm import Firm
from tests.support.cloud_host import EMPTY, cloud_hosts, holds
from tests.support.clouds import HOSTS, in_cloud
from tests.support.process import wait_for

SITES = {"trading-a": "a", "trading-b": "b", "witness": "witness"}


def is_well(firm: Firm) -> bool:
    """Return whether everything of the environment does its work."""
    return bool(firm.json("status", "cloud", code=None)["verdict"] == "healthy")


def test_it_is_deployed_verified_drilled_and_taken_away() -> None:
    needed(cloud_host.lacking())
    with in_cloud(dr="warm") as firm, cloud_hosts(HOSTS, taken=True) as hosts:
        firm.variables[CONFIG] = str(hosts[0].config)
        made = firm.json("deploy", "cloud", "--accept-host-keys")
        assert {one["name"]: one["site"] for one in made["hosts"]} == SITES
        assert all(one["profile"] in KEPT for one in made["hosts"])
        assert made["services"]["rehearsal"] == ""
        assert any("execution" in name for name in holds(hosts[1].engine)["containers"])
        assert is_well(firm)

        first = firm.json("failover", "cloud", "--to", "b")
        assert (first["verdict"], first["to_site"]) == ("done", "b")
        found = firm.json("drill", "run", "site-loss", "cloud", code=None)  # how fast is not asked
        measured = found["measured"]
        assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0), found["findings"]
        assert (found["leader_before"], found["leader_after"]) == ("b", "a"), found["findings"]
        wait_for(lambda: is_well(firm), "the lost site to be back", timeout_s=120)

        planned = firm.json("plan", "cloud")  # who leads is declared nowhere
        assert (planned["changes"], planned["services"]["changes"]) == ([], [])
        said = firm.run("destroy", "cloud", "--yes", code=1).stderr
        named = [
            word
            for name in re.findall(r"--replace-data (\S+)", said)
            for word in ("--replace-data", name)
        ]
        firm.json("destroy", "cloud", "--yes", *named)
        assert [holds(host.engine) for host in hosts] == [EMPTY] * len(HOSTS)
        assert (firm.instances(), firm.networks()) == ([], [])
