"""A setting is changed and changed back under a stream of orders: the sites go one by one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

from apps.core.sites import Overview
from opsctl.deploy import records
from opsctl.services import execution
from tests.e2e.conftest import OPSCTL, Deployed
from tests.support import chaos

ORDERS_PER_S = 100.0
SET = ("--no-verify", "--set")
CHANGED = {"execution@a", "execution@b", "strategy@a", "strategy@b"}


def agreed(intraday: Deployed) -> set[str]:
    """Return the digests of what the sites of the deployment agree on."""
    found = records.applied(intraday.name)
    assert found is not None
    return {execution.agreed(s) for s in found.services if s.name == execution.NAME}


def seen(intraday: Deployed) -> Overview:
    return chaos.accounts_of(intraday.name).overview()


def told(seen: Overview) -> set[str]:
    """Return the digests that both sites tell of what they run."""
    assert set(seen.presences) == {"a", "b"}
    return {there.settings for there in seen.presences.values()}


def other(site: str) -> str:
    return "b" if site == "a" else "a"


def changed(
    intraday: Deployed, command: Callable[[], Any], record: Callable[[str, object], None], name: str
) -> None:
    """Change it under orders, and look at everything that an update promises."""
    before = seen(intraday)
    assert before.leader is not None
    first, last = other(before.leader.site), before.leader.site
    done: list[Any] = []
    outcome = chaos.under_orders(
        intraday.name, lambda: done.append(command()), rate_per_s=ORDERS_PER_S
    )
    (result,) = done
    kinds = [(step["kind"], step["site"]) for step in result["steps"]]
    assert {key for step in result["steps"] for key in step["services"]} == CHANGED
    assert outcome.faults == ()
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    assert outcome.acknowledged > 200
    after = seen(intraday)
    assert after.leader is not None
    assert sorted(step for step in kinds if step[0] != "handover") == [("site", "a"), ("site", "b")]
    assert after.leader.epoch > before.leader.epoch
    if after.leader.epoch == before.leader.epoch + 1:  # it did not move by itself as well
        assert kinds == [("site", first), ("handover", first), ("site", last)]
        assert after.leader.site == first
    assert told(after) == agreed(intraday) != told(before)
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


def test_a_change_and_its_rollback_lose_no_order(
    intraday: Deployed, record_property: Callable[[str, object], None]
) -> None:
    setting = "limits.max_order_shares=900000"
    planned = intraday.json("plan", intraday.name, "--set", setting)
    assert {change["name"] for change in planned["changes"]} == CHANGED
    assert [step["kind"] for step in planned["steps"]] == ["site", "handover", "site"]
    changed(
        intraday,
        lambda: intraday.json("deploy", intraday.name, *SET, setting),
        record_property,
        "deploy",
    )
    changed(
        intraday,
        lambda: intraday.json("rollback", intraday.name, "--no-verify"),
        record_property,
        "rollback",
    )
    assert intraday.json("plan", intraday.name)["changes"] == []


def test_one_that_is_killed_between_the_steps_is_continued(intraday: Deployed) -> None:
    words = (intraday.name, *SET, "limits.max_order_shares=800000")

    def kill_and_go_on() -> None:
        deploy = subprocess.Popen(
            [OPSCTL, "deploy", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPSCTL_STATE": str(intraday.state)},
        )
        assert deploy.stderr is not None
        steps = (line for line in deploy.stderr if line.startswith("step: "))
        assert next(steps).startswith("step: site ")
        assert next(steps), "the first is done, and the next one begins"
        deploy.send_signal(signal.SIGKILL)
        deploy.communicate(timeout=120)
        assert deploy.returncode == -signal.SIGKILL
        assert seen(intraday).update is not None, "two settings may stand side by side until then"
        done = intraday.json("deploy", *words)
        assert done["steps"][-1]["kind"] == "site"
        assert len([step for step in done["steps"] if step["kind"] == "site"]) == 1

    quiet(intraday, kill_and_go_on)


def test_a_site_that_was_down_is_mended_and_the_other_changed_after_it(intraday: Deployed) -> None:
    target = chaos.accounts_of(intraday.name).target

    def lose_and_deploy() -> None:
        led = seen(intraday).leader
        assert led is not None
        lost = [s.key for s in target.services() if s.site == other(led.site)]
        target.keep_down(lost)
        done = intraday.json("deploy", intraday.name, "--no-verify")
        steps = {step["kind"]: step for step in done["steps"]}
        assert set(steps["missing"]["services"]) == set(lost)
        assert steps["site"]["site"] == led.site
        # On a machine that stalls for longer than the detection time it moves by itself, too.
        assert set(steps) - {"handover"} == {"missing", "site"}

    quiet(intraday, lose_and_deploy)


def quiet(intraday: Deployed, work: Callable[[], None]) -> None:
    """Do something under orders, of which none is lost, and at whose end both sites agree."""
    outcome = chaos.under_orders(intraday.name, work, rate_per_s=ORDERS_PER_S)
    assert outcome.faults == ()
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    after = seen(intraday)
    assert told(after) == agreed(intraday)
    assert after.update is None
