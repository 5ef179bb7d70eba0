from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opsctl.drills import scenario
from opsctl.drills.scenario import Freeze, Lose, load, names, parse
from opsctl.errors import UsageError

RAW: dict[str, Any] = {
    "name": "one-more",
    "title": "One more",
    "hypothesis": "It holds.",
    "parameters": {"hold_s": 30},
    "fault": {"kind": "freeze", "site": "leader", "services": ["execution"], "hold_s": "$hold_s"},
    "goal": {"rto_ms": 100},
}


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_is_whole(name: str) -> None:
    found = load(name)
    assert found.name == name
    assert found.goal.rto_ms > 0


def test_the_first_five_are_there() -> None:
    wanted = {"leader-kill", "leader-freeze", "site-loss", "planned-handover", "partition-sites"}
    assert wanted <= set(names())


def test_parameters_fill_the_fault_and_can_be_replaced() -> None:
    assert isinstance(load("leader-freeze").fault, Freeze)
    found = load("site-loss", {"hold_s": 2.0, "etcd_leader": False})
    assert isinstance(found.fault, Lose)
    assert (found.fault.hold_s, found.fault.etcd_leader) == (2.0, False)
    assert found.parameters == {"hold_s": 2.0, "etcd_leader": False}


def test_an_unknown_parameter_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="no parameter hold") as refused:
        load("leader-freeze", {"hold": 2.0})
    assert "hold_s" in str(refused.value.hint)


def test_an_unknown_scenario_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="no scenario nonsense") as refused:
        load("nonsense")
    assert "leader-kill" in str(refused.value.hint)


def test_every_fault_of_a_file_is_named_with_its_place() -> None:
    wrong = RAW | {"goal": {"rto_ms": -1}, "fault": RAW["fault"] | {"site": "moon"}}
    with pytest.raises(UsageError) as refused:
        parse(wrong, {}, where="mine.yaml")
    assert any(line.startswith("goal.rto_ms: ") for line in refused.value.details)
    assert any("site" in line for line in refused.value.details)


def test_a_name_that_is_no_parameter_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\$hold_s is no parameter"):
        parse(RAW | {"parameters": {}}, {}, where="mine.yaml")


def test_the_projects_own_scenarios_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario.OWN.mkdir(parents=True)
    (scenario.OWN / "mine.yaml").write_text(
        "name: mine\ntitle: Mine\nhypothesis: It holds.\nfault: {kind: handover}\n"
        "goal: {rto_ms: 5}\n"
    )
    assert "mine" in names()
    assert load("mine").goal.rto_ms == 5
    (scenario.OWN / "broken.yaml").write_text("name: [\n")
    with pytest.raises(UsageError, match=r"broken\.yaml"):
        load("broken")
    (scenario.OWN / "flat.yaml").write_text("7\n")
    with pytest.raises(UsageError, match="no mapping"):
        load("flat")
