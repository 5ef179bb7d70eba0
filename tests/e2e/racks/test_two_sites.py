"""A hot environment on three servers of one's own: from its file to a drill, and back."""

from __future__ import annotations

from tests.e2e.conftest import needed
from tests.support import cloud_host
from tests.support.cloud_host import EMPTY, holds
from tests.support.racks import SITES, racked


def test_it_is_deployed_verified_drilled_and_handed_back() -> None:
    needed(cloud_host.lacking())
    with racked(SITES, dr="hot") as (firm, engines):
        made = firm.json("deploy", "rack")
        assert [(one["name"], one["site"]) for one in made["hosts"]] == [
            ("box-01", "a"),
            ("box-02", "b"),
            ("box-03", "witness"),
        ]
        assert made["services"]["rehearsal"] == ""
        assert any("execution" in name for name in holds(engines[1])["containers"])
        assert firm.json("status", "rack")["verdict"] == "healthy"

        found = firm.json("drill", "run", "leader-kill", "rack", code=None)  # how fast is not asked
        measured = found["measured"]
        assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0), found["findings"]
        assert found["leader_before"] != found["leader_after"]

        gone = firm.json("destroy", "rack", "--yes")
        assert len(gone["deleted"]) == len(SITES) + 1  # and the claim
        assert [holds(engine) for engine in engines] == [EMPTY] * len(SITES)
