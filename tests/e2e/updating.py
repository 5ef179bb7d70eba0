"""A setting is changed under a stream of orders, and everything that an update promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.core.sites import Overview
from opsctl.deploy import records
from opsctl.services import execution
from tests.e2e.conftest import Deployed
from tests.support import chaos

ORDERS_PER_S = 100.0
CHANGED = {"execution@a", "execution@b", "strategy@a", "strategy@b"}
"""What a changed limit makes anew."""


def agreed(hot: Deployed) -> set[str]:
    """Return the digests of what the sites of the deployment agree on."""
    found = records.applied(hot.name)
    assert found is not None
    return {execution.agreed(s) for s in found.services if s.name == execution.NAME}


def seen(hot: Deployed) -> Overview:
    return chaos.accounts_of(hot.name).overview()


def told(seen: Overview) -> set[str]:
    """Return the digests that both sites tell of what they run."""
    assert set(seen.presences) == {"a", "b"}
    return {there.settings for there in seen.presences.values()}


def other(site: str) -> str:
    return "b" if site == "a" else "a"


def change(
    hot: Deployed, command: Callable[[], Any], record: Callable[[str, object], None], name: str
) -> None:
    """Change it under orders, and look at everything that an update promises."""
    before = seen(hot)
    assert before.leader is not None
    first, last = other(before.leader.site), before.leader.site
    done: list[Any] = []
    outcome = chaos.under_orders(hot.name, lambda: done.append(command()), rate_per_s=ORDERS_PER_S)
    (result,) = done
    kinds = [(step["kind"], step["site"]) for step in result["steps"]]
    assert {key for step in result["steps"] for key in step["services"]} == CHANGED
    assert outcome.faults == ()
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    assert outcome.acknowledged > 200
    after = seen(hot)
    assert after.leader is not None
    assert sorted(step for step in kinds if step[0] != "handover") == [("site", "a"), ("site", "b")]
    assert after.leader.epoch > before.leader.epoch
    if after.leader.epoch == before.leader.epoch + 1:  # it did not move by itself as well
        assert kinds == [("site", first), ("handover", first), ("site", last)]
        assert after.leader.site == first
    assert told(after) == agreed(hot) != told(before)
    assert after.update is None
    assert outcome.acceptance_gap_ms is not None
    assert outcome.handover_gap_ms is not None
    assert outcome.handover_gap_ms <= outcome.acceptance_gap_ms
    record(f"{name}_acceptance_gap_ms", round(outcome.acceptance_gap_ms, 1))
    record(f"{name}_handover_gap_ms", round(outcome.handover_gap_ms, 1))
    print(
        f"{name}: {outcome.acknowledged} orders in {result['duration_s']:.1f} s, none lost or "
        f"doubled; acceptances stopped for {outcome.handover_gap_ms:.1f} ms by the handover, "
        f"{outcome.acceptance_gap_ms:.1f} ms at most"
    )


def change_and_roll_back(
    hot: Deployed, record: Callable[[str, object], None], *options: str
) -> None:
    """Change a setting under orders, and go back the same way."""
    setting = ("--set", "limits.max_order_shares=900000", *options)
    planned = hot.json("plan", hot.name, *setting)
    assert {change["name"] for change in planned["changes"]} == CHANGED
    assert [step["kind"] for step in planned["steps"]] == ["site", "handover", "site"]
    change(hot, lambda: hot.json("deploy", hot.name, "--no-verify", *setting), record, "deploy")
    change(hot, lambda: hot.json("rollback", hot.name, "--no-verify"), record, "rollback")
    assert hot.json("plan", hot.name, *options)["changes"] == []
