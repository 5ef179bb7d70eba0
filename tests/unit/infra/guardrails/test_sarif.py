from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from opsctl.infra.guardrails import judge, sarif
from opsctl.infra.guardrails.catalogue import RULES
from opsctl.infra.previewed import UNKNOWN
from tests.support.previews import FACTS, preview, put, sound

SUBSET = json.loads((Path(__file__).parent / "sarif-2.1.0-subset.json").read_text())


@dataclass(frozen=True)
class Waiver:
    rule: str = "AWS-ENC-001"
    resource: str = "data-b"
    reason: str = "until the migration"
    owner: str = "trading@firm.example"
    expires: date = FACTS.today


@pytest.fixture(name="log")
def made() -> dict[str, Any]:
    """Return the log of one fault, one that is waived, one unknown and one warning."""
    found = sound()
    for name, path, value in (
        ("data-a", "encrypted", False),
        ("data-b", "encrypted", False),
        ("data-witness", "encrypted", UNKNOWN),
        ("key", "enableKeyRotation", False),
    ):
        found[name] = put(found[name], path, value)
    judged = judge(preview(found), FACTS, [Waiver()])
    return sarif(judged, "Pulumi.desk.yaml", 12, "0.1.0")


def by_resource(log: dict[str, Any]) -> dict[str, Any]:
    results = log["runs"][0]["results"]
    return {one["locations"][0]["logicalLocations"][0]["name"]: one for one in results}


def test_it_is_valid_by_the_schema(log: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SUBSET)
    jsonschema.validate(log, SUBSET)


def test_a_log_without_findings_is_valid(log: dict[str, Any]) -> None:
    empty = sarif(judge(preview(sound()), FACTS), "Pulumi.desk.yaml")
    jsonschema.validate(empty, SUBSET)
    assert empty["runs"][0]["results"] == []  # not absent: that would say that nothing was run


def test_levels_follow_severity_and_certainty(log: dict[str, Any]) -> None:
    found = {name: (one["kind"], one["level"]) for name, one in by_resource(log).items()}
    assert found == {
        "data-a": ("fail", "error"),
        "data-b": ("fail", "error"),
        "data-witness": ("open", "none"),
        "key": ("fail", "warning"),
    }


def test_only_what_is_waived_is_suppressed(log: dict[str, Any]) -> None:
    found = {name: one.get("suppressions") for name, one in by_resource(log).items()}
    assert [name for name, said in found.items() if said] == ["data-b"]
    (said,) = found["data-b"]
    assert said["justification"] == (
        f"until the migration (trading@firm.example, until {FACTS.today})"
    )


def test_every_result_leads_to_its_rule_and_place(log: dict[str, Any]) -> None:
    (run,) = log["runs"]
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        place = one["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "Pulumi.desk.yaml"
        assert place["region"]["startLine"] == 12
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]


def test_a_fingerprint_is_of_one_finding_and_stays(log: dict[str, Any]) -> None:
    def prints(of: dict[str, Any]) -> list[str]:
        return [one["partialFingerprints"]["opsctl/v1"] for one in of["runs"][0]["results"]]

    assert len(set(prints(log))) == len(prints(log))
    found = sound()
    found["data-a"] = put(found["data-a"], "encrypted", False)
    alone = sarif(judge(preview(found), FACTS), "elsewhere.yaml", 99)
    assert prints(alone) == [by_resource(log)["data-a"]["partialFingerprints"]["opsctl/v1"]]


def test_a_code_host_tells_results_of_one_line_apart(log: dict[str, Any]) -> None:
    results = log["runs"][0]["results"]
    hashes = {one["partialFingerprints"]["primaryLocationLineHash"] for one in results}
    assert len(hashes) == len(results)


def test_two_findings_of_one_resource_are_two_results() -> None:
    found = sound()
    disks = [{"deviceName": f"/dev/sd{letter}"} for letter in "fg"]
    found["host-a"] = put(found["host-a"], "ebsBlockDevices", disks)
    log = sarif(judge(preview(found), FACTS), "Pulumi.desk.yaml")
    results = [one for one in log["runs"][0]["results"] if one["ruleId"] == "AWS-ENC-001"]
    assert len({one["partialFingerprints"]["opsctl/v1"] for one in results}) == 2
