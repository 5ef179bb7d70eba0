"""Guardrails: rules over what an update would do, before anything is applied."""

from __future__ import annotations

from opsctl.infra.guardrails.judging import Finding, Judged, Verdict, judge
from opsctl.infra.guardrails.rule import Facts, Severity
from opsctl.infra.guardrails.sarif import sarif

__all__ = ["Facts", "Finding", "Judged", "Severity", "Verdict", "judge", "sarif"]
