"""Leadership moves between the sites under a stream of orders: none lost, none doubled."""

from __future__ import annotations

import os
import signal

from opsctl.targets.base import Target
from tests.e2e.conftest import Deployed
from tests.support import chaos


def _execution(target: Target, site: str) -> int:
    running = {one.key: one.pid for one in target.observe()}
    pid = running[f"execution@{site}"]
    assert pid is not None
    return pid


def _whole_site(target: Target, site: str) -> None:
    chaos.kill(target, [s.key for s in target.services() if s.site == site])


def _none_lost(outcome: chaos.Outcome) -> None:
    assert outcome.faults == ()
    assert outcome.acknowledged > 0
    assert outcome.executions > 0


def test_a_leader_that_is_killed(intraday: Deployed) -> None:
    _none_lost(
        chaos.take_leader_away(
            intraday.name,
            lambda target, site: os.kill(_execution(target, site), signal.SIGKILL),
            lambda *_: None,  # its supervisor starts it again
        )
    )


def test_a_leader_that_freezes_and_wakes(intraday: Deployed) -> None:
    _none_lost(
        chaos.take_leader_away(
            intraday.name,
            lambda target, site: os.kill(_execution(target, site), signal.SIGSTOP),
            lambda target, site: os.kill(_execution(target, site), signal.SIGCONT),
        )
    )


def test_every_process_of_the_leading_site_is_killed(intraday: Deployed) -> None:
    _none_lost(chaos.take_leader_away(intraday.name, _whole_site, lambda *_: None))


def test_planned_there_and_back(intraday: Deployed) -> None:
    found = []

    def hand_over(target: Target, site: str) -> None:
        to = "b" if site == "a" else "a"
        found.append(intraday.json("failover", intraday.name, "--to", to))

    _none_lost(chaos.take_leader_away(intraday.name, hand_over, lambda *_: None))
    (there,) = found
    assert (there["verdict"], there["mode"]) == ("done", "planned")
    assert there["epoch"] == there["from_epoch"] + 1
    back = intraday.json("failback", intraday.name)
    assert (back["verdict"], back["to_site"]) == ("done", "a")
    assert intraday.json("failback", intraday.name)["from_site"] == "a"
