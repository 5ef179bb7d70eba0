"""`opsctl verify` on a deployed environment."""

from __future__ import annotations

import json

from tests.e2e.conftest import Deployed

PROBES = 120


def test_the_daily_tier_is_met_and_every_contract_kept(daily: Deployed) -> None:
    found = daily.json("verify", daily.name, "--probes", str(PROBES))
    assert {name: found[name] for name in ("environment", "tier", "dr", "target", "verdict")} == {
        "environment": daily.name,
        "tier": "daily",
        "dr": "cold",
        "target": "local",
        "verdict": "passed",
    }
    latency = found["latency"]
    assert (latency["budget_us"], latency["samples"]) == (1_000_000, PROBES)
    assert 0 < latency["p50_us"] <= latency["p99_us"] <= latency["max_us"]
    assert latency["p99_us"] <= latency["budget_us"]
    assert latency["p999_us"] is None
    assert [stage["samples"] for stage in found["stages"]] == [PROBES] * 5
    checks = {check["name"]: check for check in found["checks"]}
    assert {name for name in checks if name.startswith("contract: ")} == {
        f"contract: {app}"
        for app in ("venue@market", "data@a", "strategy@a", "execution@a", "projector@a", "desk@a")
    }
    assert sum(name.startswith("refuses strangers: ") for name in checks) == 6
    assert "when it is lost, everything is" in checks["failure domains"]["detail"]


def test_a_halted_platform_does_not_meet_its_tier(daily: Deployed) -> None:
    daily.run("halt", daily.name)
    try:
        done = daily.run("verify", daily.name, "--probes", "3", "--output", "json", check=False)
    finally:
        daily.run("resume", daily.name)
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"], found["latency"]["samples"]) == (3, "failed", 0)
    assert {check["name"] for check in found["checks"] if check["verdict"] == "failed"} == {
        "probes@a",
        "latency",
    }
