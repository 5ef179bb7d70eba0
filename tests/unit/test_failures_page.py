"""`docs/failures.md` is kept honest: what it names is exported, in the catalogue, or a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.services.test_rules import alerts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
NOT_OURS = {"up"}
"""Metrics of Prometheus itself."""


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "failure"]


def exported() -> set[str]:
    """Return the names that the apps give their metrics, as Prometheus shows them."""
    found = set()
    for module in (ROOT / "apps").rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        found |= set(re.findall(r"(?:Gauge|Counter|Histogram)\(\s*\"(trading_\w+)\"", text))
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_failure_has_a_behaviour_a_metric_an_alert_and_a_proof(row: list[str]) -> None:
    assert len(row) == 5
    _, behaviour, metric, alert, proof = row
    assert behaviour
    named = re.findall(r"`(\w+)`", metric)
    assert named
    assert set(named) - NOT_OURS <= exported()
    assert alert
    assert set(alert.split(", ")) <= set(alerts())
    drills = re.findall(r"drill `([\w-]+)`", proof)
    tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", proof)
    assert drills or tests
    for drill in drills:
        assert (ROOT / "opsctl" / "drills" / "scenarios" / f"{drill}.yaml").exists()
    for path, name in tests:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}" in text, f"{path} has no {name}"
