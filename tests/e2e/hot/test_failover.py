"""The order path is handed over and back by command, under a stream of orders."""

from __future__ import annotations

from opsctl.targets.base import Target
from tests.e2e.conftest import Deployed
from tests.support import chaos


def test_planned_there_and_back(intraday: Deployed) -> None:
    found = []

    def hand_over(target: Target, site: str) -> None:
        to = "b" if site == "a" else "a"
        found.append(intraday.json("failover", intraday.name, "--to", to))

    outcome = chaos.take_leader_away(intraday.name, hand_over, lambda *_: None)
    assert outcome.faults == ()
    assert outcome.executions > 0
    (there,) = found
    assert (there["verdict"], there["mode"]) == ("done", "planned")
    assert there["epoch"] == there["from_epoch"] + 1
    back = intraday.json("failback", intraday.name)
    assert (back["verdict"], back["to_site"]) == ("done", "a")
    assert intraday.json("failback", intraday.name)["from_site"] == "a"
