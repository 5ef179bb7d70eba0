"""Every alert has a runbook, a case that fires and one that does not; promtool runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import rules

RUNBOOKS = Path("docs/runbooks.md")


def alerts() -> dict[str, dict[str, Any]]:
    return {
        rule["alert"]: rule
        for path in sorted(rules.RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    }


def cases() -> list[tuple[str, bool]]:
    return [
        (case["alertname"], bool(case["exp_alerts"]))
        for path in sorted(rules.CASES.glob("*.yml"))
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]


def anchors() -> set[str]:
    heads = re.findall(r"^#+ (.+)$", RUNBOOKS.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(name: str) -> None:
    assert {fires for alert, fires in cases() if alert == name} == {True, False}


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_says_what_is_wrong_and_where_its_runbook_is(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert Path(page) == RUNBOOKS
    assert anchor in anchors()
