"""Processes are killed under a stream of orders: nothing is lost, nothing doubled."""

from __future__ import annotations

from tests.e2e.conftest import Deployed
from tests.support import chaos


def test_kill_each_process_in_turn(daily: Deployed) -> None:
    outcome = chaos.kill_each_in_turn(daily.name)
    assert outcome.faults == ()
    assert outcome.acknowledged > 0
    assert outcome.executions > 0


def test_kill_all_at_once(daily: Deployed) -> None:
    outcome = chaos.kill_all_at_once(
        daily.name, lambda: daily.run("deploy", "daily", "--no-verify")
    )
    assert outcome.faults == ()
    assert outcome.acknowledged > 0
