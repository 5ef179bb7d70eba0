from __future__ import annotations

from pathlib import Path
from typing import Any

from opsctl.drills import names
from tests.soak.drills import KINDS, begun, of_target, page
from tests.soak.recorded import Recorded, commit, made_by

MEASURED = {
    "rto_ms": 40.0,
    "orders_acknowledged": 9,
    "orders_lost": 0,
    "orders_duplicated": 0,
    "positions_reconciled": True,
    "open_orders_reconciled": True,
}


def run(scenario: str, verdict: str = "passed", **parameters: bool | float) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "verdict": verdict,
        "parameters": parameters,
        "goal": {"rto_ms": 600.0, "met": True},
        "measured": MEASURED if verdict != "blocked" else MEASURED | {"rto_ms": None},
    }


def test_a_lost_site_counts_where_the_leader_of_etcd_was_lost_with_it() -> None:
    runs = [run("site-loss", hold_s=5.0, etcd_leader=with_it) for with_it in (True, True, False)]
    counts = {kind.scenario: len(begun(kind, runs)) for kind in KINDS}
    assert (counts["site-loss"], counts["leader-kill"]) == (2, 0)


def test_a_freeze_counts_if_it_was_as_long_as_the_scenario_says() -> None:
    freeze = next(kind for kind in KINDS if kind.scenario == "leader-freeze")
    assert begun(freeze, [run("leader-freeze", hold_s=5.0)]) == []
    assert len(begun(freeze, [run("leader-freeze", hold_s=30.0)])) == 1
    assert freeze.words(0) == ["--set", "hold_s=30"]


def test_what_could_not_begin_is_shown_and_does_not_count() -> None:
    lines = page([run("leader-kill"), run("leader-kill", "blocked")]).splitlines()
    (row,) = (line for line in lines if line.startswith("| leader-kill"))
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["1", "1"]
    assert row.endswith("| 9 | 0 | 0 | 0 | 1 |")


def test_a_soak_goes_on_where_its_evidence_ends_and_says_which_code_made_it(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "evidence" / "drills.md")
    assert recorded.runs() == []
    recorded.add(run("leader-kill"))
    Recorded(recorded.page).add(run("failback"))
    found = recorded.runs()
    assert [each["scenario"] for each in found] == ["leader-kill", "failback"]
    assert recorded.evidence.parent == recorded.page.parent
    assert made_by([*found, {"commit": "other"}]) == f"Code: `{commit()}` (2), `other` (1)."


def test_every_shipped_scenario_is_drilled_where_it_can_be() -> None:
    assert {kind.scenario for kind in of_target("docker")} == set(names())
    assert {k.scenario for k in KINDS} - {k.scenario for k in of_target("local")} == {
        "uplink-loss",
        "throttled-disk",
        "scratch-full",
        "memory-short",
        "engine-restart",
        "engine-loss",
    }


def test_the_page_of_containers_names_its_own_command_and_evidence() -> None:
    text = page([run("uplink-loss")], "docker")
    assert "`python -m tests.soak.drills --target docker` (1 runs" in text
    assert "(drills-intraday-docker.jsonl)" in text
    assert "| uplink-loss | 1 | 1 |" in text
    assert "uplink-loss" not in page([run("leader-kill")])
