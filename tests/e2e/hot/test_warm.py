"""The warm tier: a standby that leads when somebody orders it, and not before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Deployed, deployed


@pytest.fixture(scope="module")
def warm() -> Iterator[Deployed]:
    """Deploy two sites of which one waits for an order."""
    with deployed("daily-warm") as made:
        yield made


def test_a_lost_site_is_succeeded_by_order_and_not_before(warm: Deployed) -> None:
    given = ("--set", "operator_s=4", "--set", "hold_s=10", "--rate", "100")
    found = warm.json("drill", "run", "site-loss", warm.name, *given)
    assert found["verdict"] == "passed", found["findings"]
    measured = found["measured"]
    assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0)
    assert measured["positions_reconciled"]
    assert measured["rto_ms"] > measured["detection_ms"] > 4_000
    assert (found["leader_before"], found["leader_after"]) == ("a", "b")
    assert found["objective"]["rto_s"] == 900
    assert "waiting for an order" in warm.run("logs", warm.name, "execution@b").stdout


def test_a_process_that_crashed_leads_again_without_anybody(warm: Deployed) -> None:
    found = warm.json("drill", "run", "leader-kill", warm.name, "--rate", "100")
    assert found["verdict"] == "passed", found["findings"]
    assert (found["leader_before"], found["leader_after"]) == ("a", "a")
    assert (found["measured"]["orders_lost"], found["measured"]["orders_duplicated"]) == (0, 0)
    said = [moment["what"] for moment in found["timeline"]]
    assert "trading goes on: nothing is ordered" in said
